import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { firstSequence, readCursors, segmentPath, segmentPaths, writeCursors } from "../../../src/spool/writer-dir.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

test("cursors are read as they were written", async (t) => {
  const directory = await temporaryDirectory(t);
  const cursors = new Map([
    ["a", 0n],
    ["__proto__", 5n],
    ["a/2", 2n ** 64n - 1n],
  ]);
  await writeCursors(directory, cursors);
  assert.deepEqual(await readCursors(directory), cursors);
});

test("cursors that cannot be read are none, so that everything is sent again", async (t) => {
  const directory = await temporaryDirectory(t);
  assert.deepEqual(await readCursors(directory), new Map());
  for (const content of [
    "",
    "{",
    "null",
    "[]",
    '{"version":2,"cursors":{"a":"1"}}',
    '{"version":1,"cursors":{"a":"x"}}',
  ]) {
    await writeFile(path.join(directory, "cursors.json"), content);
    assert.deepEqual(await readCursors(directory), new Map(), content);
  }
});

test("the names of segments sort as the numbers of their first frames", async (t) => {
  const directory = await temporaryDirectory(t);
  const numbers = [2n ** 64n - 1n, 0n, 10n, 9n, 2n ** 32n];
  for (const number of numbers) await writeFile(segmentPath(directory, number), "");
  const read = (await segmentPaths(directory)).map(firstSequence);
  assert.deepEqual(read, [0n, 9n, 10n, 2n ** 32n, 2n ** 64n - 1n]);
});
