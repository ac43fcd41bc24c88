import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { validate } from "../../../src/commands/validate.ts";
import type { ParseOptions } from "../../../src/config/parse.ts";
import { CLUSTER_SPEC, FULL_SPEC, configText } from "../../support/config.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

async function validated(files: readonly string[], options: ParseOptions = {}) {
  const printed: string[] = [];
  const exitCode = await validate(files, options, (line) => printed.push(line));
  return { exitCode, printed };
}

const MANY_FAULTS = "test/golden/validate/many-faults";

test("every fault of a file is printed as file:line: path: message", async () => {
  const { exitCode, printed } = await validated([`${MANY_FAULTS}.yaml`]);
  assert.equal(`${printed.join("\n")}\n`, await readFile(`${MANY_FAULTS}.txt`, "utf8"));
  assert.equal(exitCode, 1);
  for (const line of printed) assert.match(line, /^test\/golden\/validate\/many-faults\.yaml:\d+: \S+: \S/);
});

test("a file without faults prints nothing", async (t) => {
  const file = path.join(await temporaryDirectory(t), "good.yaml");
  await writeFile(file, configText(FULL_SPEC));
  assert.deepEqual(await validated([file]), { exitCode: 0, printed: [] });
});

test("files are checked in order, and one with faults makes the command fail", async (t) => {
  const dir = await temporaryDirectory(t);
  const [good, bad, worse] = ["good.yaml", "bad.yaml", "worse.yaml"].map((name) => path.join(dir, name)) as [
    string,
    string,
    string,
  ];
  await writeFile(good, configText(FULL_SPEC));
  await writeFile(bad, configText({ ...FULL_SPEC, priority: 5_000 }));
  await writeFile(worse, "[");
  const { exitCode, printed } = await validated([worse, good, bad, good]);
  assert.equal(exitCode, 1);
  assert.deepEqual(
    printed.map((line) => line.replace(/:.*/, "")),
    [worse, bad],
  );
});

test("an unreadable file is a fault without a line number, and the others are checked", async (t) => {
  const dir = await temporaryDirectory(t);
  const bad = path.join(dir, "bad.yaml");
  await writeFile(bad, "");
  const { exitCode, printed } = await validated([path.join(dir, "absent.yaml"), dir, bad]);
  assert.equal(exitCode, 1);
  assert.deepEqual(printed, [
    `${dir}/absent.yaml: cannot be read: ENOENT: no such file or directory, open '${dir}/absent.yaml'`,
    `${dir}: cannot be read: EISDIR: illegal operation on a directory, read`,
    `${bad}:1: is empty`,
  ]);
});

test("a dash is a file name, not the standard input", async () => {
  const { exitCode, printed } = await validated(["-"]);
  assert.equal(exitCode, 1);
  assert.match(printed.join("\n"), /^-: cannot be read: ENOENT/);
});

test("a file for a cluster is valid only with --cluster", async (t) => {
  const file = path.join(await temporaryDirectory(t), "cluster.yaml");
  await writeFile(file, configText(CLUSTER_SPEC));
  assert.equal((await validated([file])).exitCode, 1);
  assert.deepEqual(await validated([file], { cluster: true }), { exitCode: 0, printed: [] });
});

test("a file of arbitrary bytes is checked", async (t) => {
  const file = path.join(await temporaryDirectory(t), "bytes.yaml");
  await writeFile(file, Buffer.from(Array.from({ length: 1_024 }, (_, index) => index % 256)));
  const { exitCode, printed } = await validated([file]);
  assert.equal(exitCode, 1);
  assert.ok(printed.length > 0);
});
