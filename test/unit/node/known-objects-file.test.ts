import assert from "node:assert/strict";
import { mkdir, readFile, readdir, symlink, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import { readClusterObject } from "../../../src/config/cluster-object.ts";
import type { Vmi } from "../../../src/discovery/vmi.ts";
import { readKnownObjects, writeKnownObjects, type KnownObjects } from "../../../src/node/known-objects-file.ts";
import { CLUSTER_SPEC } from "../../support/config.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { vmi } from "../../support/vmis.ts";

const HERE = "VMIs with kubevirt.io/nodeName";
const COMING = "VMIs with kubevirt.io/migrationTargetNodeName";
const CONFIG = readClusterObject({
  metadata: { name: "default", uid: "c1", generation: 3, creationTimestamp: "2026-01-02T03:04:05Z" },
  spec: CLUSTER_SPEC,
});
const WEB = vmi({ firmwareUuid: "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01", labels: { app: "shop" } });
const KNOWN: KnownObjects = { config: CONFIG, vmis: new Map([[HERE, new Map([["shop/web", WEB]])]]) };

async function fileIn(t: TestContext): Promise<string> {
  return path.join(await temporaryDirectory(t), "known-objects.jsonl");
}

function lines(...entries: readonly object[]): string {
  return [{ version: 1, node: "node-1" }, ...entries].map((entry) => `${JSON.stringify(entry)}\n`).join("");
}

test("VMIs and the configuration are read as they were written", async (t) => {
  const file = await fileIn(t);
  const coming = new Map([["shop/db", vmi({ name: "db", nodeName: undefined, pods: ["pod-2", "pod-3"] })]]);
  const known = { ...KNOWN, vmis: new Map([...KNOWN.vmis, [COMING, coming]]) };
  await writeKnownObjects(file, "node-1", known);
  const { config, vmis } = await readKnownObjects(file, "node-1");
  assert.deepEqual(vmis, known.vmis);
  assert.deepEqual(config?.config, { ...CONFIG?.config, spec: { ...CONFIG?.config?.spec, nodeSelector: {} } });
  assert.deepEqual(
    [config.name, config.uid, config.generation, config.createdMs, config.nodeSelector],
    ["default", "c1", 3, CONFIG?.createdMs, {}],
  );
  assert.deepEqual(await readdir(path.dirname(file)), ["known-objects.jsonl"]);
});

test("a file without objects is read as nothing known", async (t) => {
  const file = await fileIn(t);
  await writeKnownObjects(file, "node-1", { config: undefined, vmis: new Map([[HERE, new Map()]]) });
  assert.deepEqual(await readKnownObjects(file, "node-1"), { config: undefined, vmis: new Map() });
});

test("a configuration that this version cannot read is left out, and the VMIs are not", async (t) => {
  const file = await fileIn(t);
  await writeKnownObjects(file, "node-1", KNOWN);
  const text = await readFile(file, "utf8");
  await writeFile(file, text.replace(/"interval":"[^"]+"/, '"interval":"sometimes"'));
  assert.deepEqual(await readKnownObjects(file, "node-1"), { ...KNOWN, config: undefined });
});

test("a file of another node or version, or a damaged one, is not used", async (t) => {
  const file = await fileIn(t);
  const entry = { list: HERE, vmi: { metadata: { namespace: "shop", name: "web", uid: "u1" } } };
  const cases: readonly (readonly [content: string, message: RegExp])[] = [
    ["", /end is missing/],
    ["{}\n", /another version/],
    [lines({ lines: 1 }).replace('"version":1', '"version":2'), /another version/],
    [lines({ lines: 1 }).replace("node-1", "node-2"), /another node/],
    [lines(entry), /end is missing/],
    [lines(entry, { lines: 2 }).trimEnd(), /incomplete/],
    [lines(entry, { lines: 3 }), /line 3 is damaged/],
    [lines({ lines: 1 }, entry), /follows its last line/],
    [lines({ list: HERE, vmi: { metadata: { namespace: "shop", name: 7, uid: "u1" } } }), /line 2 is not a VMI/],
    [lines({ list: {}, vmi: entry.vmi }), /line 2 is not a VMI/],
    [lines({ list: HERE, vmi: null }), /line 2 is not a VMI/],
    [lines({}), /line 2 is damaged/],
    [`${lines(entry)}{"secret-\n`, /^Error: a line is not JSON$/],
    [lines({ x: "x".repeat(3 << 20) }), /a line has more than/],
    [lines(...Array.from({ length: 5_000 }, () => entry)), /more than 4096 VMIs/],
  ];
  for (const [content, message] of cases) {
    await writeFile(file, content);
    await assert.rejects(readKnownObjects(file, "node-1"), message, content.slice(0, 200));
  }
  await truncate(file, (32 << 20) + 1);
  await assert.rejects(readKnownObjects(file, "node-1"), /more than 33554432 bytes/);
});

test("a link or a directory in the place of the file is not read", async (t) => {
  const file = await fileIn(t);
  await writeKnownObjects(`${file}.other`, "node-1", KNOWN);
  await symlink(`${file}.other`, file);
  await assert.rejects(readKnownObjects(file, "node-1"), /ELOOP/);
  await mkdir(`${file}.dir`);
  await assert.rejects(readKnownObjects(`${file}.dir`, "node-1"), /not a file/);
});

test("any bytes in the file are read without harm or not used", async (t) => {
  const file = await fileIn(t);
  await writeKnownObjects(file, "node-1", KNOWN);
  const good = await readFile(file);
  const changes = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(changes, async (bytes) => {
      const content = Buffer.from(good);
      for (const [at, byte] of bytes) content[at] = byte;
      await writeFile(file, content);
      const read = await readKnownObjects(file, "node-1").catch(() => undefined);
      for (const vmis of read?.vmis.values() ?? [])
        for (const { namespace, name } of vmis.values()) assert.ok(namespace.length <= 63 && name.length <= 253);
    }),
    { numRuns: 200 },
  );
});

test("the file stays within its limits, whatever number of VMIs there are", async (t) => {
  const file = await fileIn(t);
  const labels = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`${index}`.padEnd(317, "k"), "v"]));
  const many = new Map<string, Vmi>();
  for (let index = 0; index < 5_000; index++) many.set(`shop/${index}`, vmi({ name: `${index}`, labels }));
  await writeKnownObjects(file, "node-1", { config: CONFIG, vmis: new Map([[HERE, many]]) });
  assert.ok((await readFile(file)).length <= 32 << 20);
  const { config, vmis } = await readKnownObjects(file, "node-1");
  const kept = vmis.get(HERE)?.size ?? 0;
  assert.ok(config !== undefined && kept > 1_000 && kept <= 4_096, `${kept} VMIs`);
});
