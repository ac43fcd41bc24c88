// The agent's process with the permissions that the chart gives it.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { runProcess } from "../support/command-line.ts";
import { configText } from "../support/config.ts";
import { FakeInflux } from "../support/fake-influx.ts";
import { domainOf, startRecordedLauncher } from "../support/recorded-launcher.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/** Returns the options that the chart gives Node, with another directory for the spool. */
async function nodeOptions(spool: string): Promise<string> {
  const manifests = await readFile("manifests/install.yaml", "utf8");
  const options = /name: NODE_OPTIONS\n +value: (.*)/.exec(manifests)?.[1] ?? "";
  assert.match(options, /--allow-fs-write=\/spool$/);
  return options.replace("/spool", spool);
}

test("an agent with the chart's permissions collects a launcher, delivers and uses its spool", async (t) => {
  await using influx = await FakeInflux.start({ version: "v2", authorization: "Token secret" });
  const [podsDir, linksDir, dir] = [
    await temporaryDirectory(t),
    await temporaryDirectory(t),
    await temporaryDirectory(t),
  ];
  await startRecordedLauncher(t, domainOf("web", "00000000-0000-0000-0000-000000000001"), { podsDir, linksDir });
  const [spool, secrets, config] = ["spool", "secrets", "config.yaml"].map((name) => path.join(dir, name));
  assert.ok(spool !== undefined && secrets !== undefined && config !== undefined);
  for (const made of [spool, path.join(secrets, "influx")]) await mkdir(made, { recursive: true });
  await writeFile(path.join(secrets, "influx", "token"), "secret");
  const v2 = { org: "o", bucket: "b", tokenSecretRef: { name: "influx", key: "token" } };
  const targets = [{ name: "main", url: influx.url, tls: { mode: "Plaintext" }, v2 }];
  await writeFile(config, configText({ collection: { interval: "1s" }, targets }));
  const places = ["--config", config, "--pods-dir", podsDir, "--spool-dir", spool, "--secrets-dir", secrets];
  const { exitCode, stderr } = await runProcess(["agent", "--cycles", "2", ...places], {
    NODE_OPTIONS: await nodeOptions(spool),
  });
  assert.equal(exitCode, 0, stderr);
  const names = influx.stored.map((line) => line.split(",", 1)[0]);
  assert.deepEqual([...new Set(names)].sort(), ["vm_devices", "vm_features", "vm_metrics", "vm_totals"]);
  assert.ok((await readdir(spool)).length > 0);
});

test("the chart's permissions allow no write outside of the spool, no program and no native code", async (t) => {
  const [spool, pods] = [await temporaryDirectory(t), await temporaryDirectory(t)];
  const code = `
    const { writeFileSync } = require("node:fs");
    const attempt = (act) => { try { act(); return "allowed"; } catch ({ code }) { return code; } };
    console.log(JSON.stringify([
      attempt(() => writeFileSync(${JSON.stringify(`${spool}/lines`)}, "")),
      attempt(() => writeFileSync(${JSON.stringify(`${pods}/disk.img`)}, "")),
      attempt(() => require("node:child_process").spawnSync(process.execPath)),
      attempt(() => new (require("node:worker_threads").Worker)("0", { eval: true })),
      attempt(() => process.dlopen({ exports: {} }, "/nonexistent.node")),
    ]));`;
  const env = { ...process.env, NODE_OPTIONS: await nodeOptions(spool) };
  const { stdout } = await promisify(execFile)(process.execPath, ["--eval", code], { env });
  const [inSpool, ...others] = JSON.parse(stdout) as string[];
  assert.equal(inSpool, "allowed");
  assert.deepEqual(others, ["ERR_ACCESS_DENIED", "ERR_ACCESS_DENIED", "ERR_ACCESS_DENIED", "ERR_DLOPEN_DISABLED"]);
});
