import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { atEnd } from "../support/at-end.ts";
import { end } from "./support/process.ts";
// It is not called here: the import tells which programs the demo needs.
import "../../scripts/demo/cluster.ts";

/** Resolves to the network devices of clusters, and the directories of clusters and of InfluxDB. */
async function remains(): Promise<string[]> {
  const directories = (await readdir(tmpdir())).filter((name) => /^(kt\d+|influxd1)-/.test(name));
  const devices = (await readdir("/sys/class/net")).filter((name) => /^kt\d+$/.test(name));
  return [...directories, ...devices].sort();
}

test("the demo of a cluster shows points of its VMs in InfluxDB, and leaves nothing after Ctrl-C", async (t) => {
  const before = await remains();
  const child = spawn("node", ["scripts/run.mjs", "demo", "--cluster"], {
    // A group of its own, because Ctrl-C reaches all processes of a terminal's group.
    detached: true,
    stdio: ["ignore", "pipe", "inherit"],
  });
  atEnd(t, () => end(child, "SIGKILL"));
  const ended = once(child, "exit");
  let output = "";
  let isInterrupted = false;
  for await (const text of child.stdout.setEncoding("utf8") as AsyncIterable<string>) {
    output += text;
    if (isInterrupted || child.pid === undefined || !output.includes("cputime_ns\n")) continue;
    process.kill(-child.pid, "SIGINT");
    isInterrupted = true;
  }
  await ended;
  for (const vm of ["web", "db"]) assert.match(output, new RegExp(`^\\S+ +prod +${vm} +node-a +running +1 `, "m"));
  assert.match(output, /everything is removed/);
  assert.deepEqual(await remains(), before);
});
