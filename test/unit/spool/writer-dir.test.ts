import assert from "node:assert/strict";
import { stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { thisProcess } from "../../../src/spool/lock.ts";
import {
  claimDir,
  firstSequence,
  readCursors,
  releaseDir,
  segmentPath,
  segmentPaths,
  writeCursors,
} from "../../../src/spool/writer-dir.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { atEnd } from "../../support/at-end.ts";

for (const directory of ["s", "s/v1", "./s/v1", "a/b/v1"])
  test(`the relative directory ${directory} is created and locked`, async (t) => {
    const before = process.cwd();
    atEnd(t, () => {
      process.chdir(before);
    });
    process.chdir(await temporaryDirectory(t));
    const writerDir = await claimDir(directory, thisProcess());
    assert.ok(writerDir);
    assert.ok((await stat(path.join(directory, "lock"))).isFile());
    await releaseDir(writerDir, true);
  });

test("cursors are the same after they are written and read", async (t) => {
  const directory = await temporaryDirectory(t);
  const cursors = new Map([
    ["a", 0n],
    ["__proto__", 5n],
    ["a/2", 2n ** 63n - 1n],
  ]);
  await writeCursors(directory, cursors);
  assert.deepEqual(await readCursors(directory), cursors);
});

test("a damaged or missing cursor file has no cursors, so that all lines are sent again", async (t) => {
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

test("segment paths are ordered by the sequence numbers of their first frames", async (t) => {
  const directory = await temporaryDirectory(t);
  const numbers = [2n ** 63n - 1n, 0n, 10n, 9n, 2n ** 32n];
  for (const number of numbers) await writeFile(segmentPath(directory, number), "");
  const read = (await segmentPaths(directory)).map(firstSequence);
  assert.deepEqual(read, [0n, 9n, 10n, 2n ** 32n, 2n ** 63n - 1n]);
});
