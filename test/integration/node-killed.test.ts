import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { atEnd } from "../support/at-end.ts";
import { end, run, until } from "./support/process.ts";
// It is not called here: the import tells which programs the test needs.
import "./support/node/node-cluster.ts";

const PROGRAM = "test/integration/support/node/held-cluster.ts";

/** Resolves to what this machine has of a cluster: processes, network devices, control groups and directories. */
async function remainsOf(cluster: string): Promise<string[]> {
  const directories = (await readdir(tmpdir())).filter((name) => name.startsWith(`${cluster}-`));
  const devices = (await readdir("/sys/class/net")).filter((name) => name === cluster);
  const groups = await run("find", "/sys/fs/cgroup", "-maxdepth", "2", "-name", `${cluster}-*`);
  const mounts = (await readFile("/proc/self/mounts", "utf8")).split("\n").filter((line) => line.includes(cluster));
  return [
    ...directories,
    ...devices,
    ...groups.split("\n").filter(Boolean),
    ...mounts,
    ...(await processesOf(cluster)),
  ];
}

/** Resolves to the command lines with a file of a cluster. */
async function processesOf(cluster: string): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const commands = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return commands.filter((command) => command.includes(`/${cluster}-`)).map((command) => command.replaceAll("\0", " "));
}

test("a test that is killed leaves nothing of its nodes on the machine", async (t) => {
  const child = spawn(process.execPath, [PROGRAM], { stdio: ["ignore", "pipe", "inherit"] });
  atEnd(t, () => end(child, "SIGKILL"));
  const [output] = (await Promise.race([once(child.stdout, "data"), once(child, "exit")])) as [unknown];
  const cluster = String(output).trim();
  assert.match(cluster, /^kt\d+$/);
  const before = (await remainsOf(cluster)).join("\n");
  for (const part of [
    /kube-apiserver/,
    /containerd/,
    /kubelet/,
    new RegExp(`^${cluster}$`, "m"),
    /^\/sys\/fs\/cgroup/m,
  ])
    assert.match(before, part);
  child.kill("SIGKILL");
  await until(async () => ((await remainsOf(cluster)).length === 0 ? true : undefined), "the remains to go");
});
