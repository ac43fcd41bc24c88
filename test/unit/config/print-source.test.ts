import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { ConfigLoop } from "../../../src/config/config-loop.ts";
import { PrintConfigSource } from "../../../src/config/print-source.ts";
import { configText, LEAST_SPEC } from "../../support/config.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

async function read(file?: string) {
  const reading = await new PrintConfigSource(file).read();
  assert.ok(reading.kind === "config");
  return reading;
}

test("without a file the defaults apply, with one target that gets all default families", async () => {
  const { config, origin } = await read();
  const families = ["Metrics", "Features", "Devices", "Totals"];
  assert.deepEqual([config.families, config.intervalMs, origin.name], [families, 5_000, "defaults"]);
  assert.deepEqual(
    config.targets.map(({ name, families }) => [name, families]),
    [["stdout", families]],
  );
});

test("a file's targets are replaced, its other settings stay, and none of its Secrets is read", async (t) => {
  const file = path.join(await temporaryDirectory(t), "config.yaml");
  const secret = { name: "absent", key: "token" };
  const target = { name: "a", url: "https://a", v2: { org: "o", bucket: "b", tokenSecretRef: secret } };
  await writeFile(file, configText({ collection: { families: ["Metrics", "Vcpus"] }, targets: [target] }));
  const { config, origin } = await read(file);
  assert.equal(origin.name, file);
  assert.deepEqual(
    config.targets.map(({ name, families }) => [name, families]),
    [["stdout", ["Metrics", "Vcpus"]]],
  );
});

test("a file that becomes invalid while the agent runs is a fault, and ends nothing", async (t) => {
  const file = path.join(await temporaryDirectory(t), "config.yaml");
  await writeFile(file, configText(LEAST_SPEC));
  const source = new PrintConfigSource(file);
  assert.equal((await source.read()).kind, "config");
  await writeFile(file, "spec: [");
  const reading = await source.read();
  assert.ok(reading.kind === "config");
  assert.equal(reading.fault?.reason, "E_CONFIG_INVALID");
  assert.deepEqual(
    reading.config.targets.map(({ name }) => name),
    ["stdout"],
  );
});

test("an invalid file is an error with its faults", async () => {
  const source = new PrintConfigSource("test/golden/validate/many-faults.yaml");
  await assert.rejects(new ConfigLoop(source, new FakeClock()).load(), { code: "E_CONFIG_INVALID" });
});
