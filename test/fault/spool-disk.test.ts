import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { until } from "../support/delivery.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { FaultyDisk } from "../support/faulty-disk.ts";
import { appendNumber, MAIN, numbersOf, SpoolBench, takeAll } from "../support/spool-bench.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

for (const [call, code] of [
  ["open", "EACCES"],
  ["open", "EMFILE"],
  ["writev", "EIO"],
  ["writev", "EROFS"],
  ["datasync", "EIO"],
] as const) {
  test(`while ${call} fails with ${code}, lines are delivered from memory, and written when it works`, async (t) => {
    const directory = await temporaryDirectory(t);
    const disk = new FaultyDisk();
    {
      await using bench = await SpoolBench.open(directory, { openFile: disk.open });
      const { spool, notes } = bench;
      const [quick, slow] = [spool.cursor("quick"), spool.cursor("slow")];
      for (let number = 0; number < 2; number++) await appendNumber(spool, number);
      disk.errors[call] = code;
      // A failed sync closes the current file, so that the next append opens one.
      if (call === "open") disk.errors.datasync = "EIO";
      for (let number = 2; number < 5; number++) await appendNumber(spool, number);
      assert.deepEqual(await takeAll(quick), [0, 1, 2, 3, 4]);
      assert.equal(spool.stats.disk.unsavedLines, 3);
      assert.ok((spool.stats.disk.writeErrors[code] ?? 0) >= 2);
      assert.equal(notes.events.filter((event) => event.startsWith("failing")).length, call === "open" ? 2 : 1);
      assert.match(notes.events.at(-1) ?? "", new RegExp(`cannot write to .*: ${code}`));
      disk.errors[call] = undefined;
      disk.errors.datasync = undefined;
      await appendNumber(spool, 5);
      assert.equal(notes.events.at(-1), "recovered");
      assert.equal(spool.stats.disk.unsavedLines, 0);
      assert.deepEqual(await numbersOf(slow), [0, 1, 2, 3, 4, 5]);
      assert.equal(spool.stats.droppedLines, 0);
    }
    await using again = await SpoolBench.open(directory);
    assert.deepEqual(await takeAll(again.spool.cursor("slow")), [0, 1, 2, 3, 4, 5]);
    assert.deepEqual(await takeAll(again.spool.cursor("quick")), [5]);
  });
}

test("every byte is written to a disk that accepts a few bytes at a time", async (t) => {
  const directory = await temporaryDirectory(t);
  const disk = new FaultyDisk();
  disk.maxWriteBytes = 7;
  {
    await using bench = await SpoolBench.open(directory, { openFile: disk.open, memoryBytes: 0 });
    const cursor = bench.spool.cursor("a");
    for (let number = 0; number < 3; number++) await appendNumber(bench.spool, number);
    assert.deepEqual(await numbersOf(cursor), [0, 1, 2]);
  }
  await using again = await SpoolBench.open(directory);
  assert.deepEqual(await takeAll(again.spool.cursor("a")), [0, 1, 2]);
});

test("a write that fails half-way leaves no lines for the next start", async (t) => {
  const directory = await temporaryDirectory(t);
  const disk = new FaultyDisk();
  {
    await using bench = await SpoolBench.open(directory, { openFile: disk.open });
    bench.spool.cursor("a");
    await appendNumber(bench.spool, 0);
    disk.errors.datasync = "EIO";
    await appendNumber(bench.spool, 1);
    disk.errors.datasync = undefined;
    await appendNumber(bench.spool, 2);
  }
  await using again = await SpoolBench.open(directory);
  assert.deepEqual(await takeAll(again.spool.cursor("a")), [0, 1, 2]);
  const { corruptFrames, truncatedBytes } = again.spool.stats.disk;
  assert.deepEqual([corruptFrames, truncatedBytes], [0, 0]);
});

test("lines above the memory limit are dropped, the oldest first, and counted", async (t) => {
  const directory = await temporaryDirectory(t);
  const disk = new FaultyDisk();
  disk.errors.open = "EIO";
  await using bench = await SpoolBench.open(directory, { openFile: disk.open, memoryBytes: 500 });
  const cursor = bench.spool.cursor("a");
  for (let number = 0; number < 50; number++) await appendNumber(bench.spool, number);
  const { frames, bytes } = cursor.backlog;
  assert.ok(frames > 1 && bytes <= 500, `${bytes} bytes`);
  assert.deepEqual({ ...cursor.losses }, { cap: 0, age: 0, disk: 50 - frames, corrupt: 0 });
  disk.errors.open = undefined;
  await appendNumber(bench.spool, 50);
  const left = await takeAll(cursor);
  assert.deepEqual(
    left,
    Array.from({ length: frames + 1 }, (_, index) => 50 - frames + index),
  );
});

test("a disk that hangs blocks neither collection nor a healthy target", async (t) => {
  const directory = await temporaryDirectory(t);
  const disk = new FaultyDisk();
  const clock = new FakeClock();
  await using bench = await SpoolBench.open(directory, { openFile: disk.open, clock });
  const { spool, notes } = bench;
  const cursor = spool.cursor("a");
  await appendNumber(spool, 0);
  const hanging = Promise.withResolvers<undefined>();
  disk.hanging = hanging.promise;
  let settled = false;
  const appended = appendNumber(spool, 1).then(() => {
    settled = true;
  });
  // One sleep is that of the maintenance loop.
  await until("the spool waits for the disk", () => clock.sleeping === 2);
  await clock.advance(4_900);
  assert.equal(settled, false);
  await clock.advance(200);
  await appended;
  assert.deepEqual(await takeAll(cursor), [0, 1]);
  // From now on appends do not wait.
  await appendNumber(spool, 2);
  assert.deepEqual(await takeAll(cursor), [2]);
  assert.match(notes.events.join(), /failing .*no answer from the disk within 5000 ms/);
  await appendNumber(spool, 3);
  hanging.resolve(undefined);
  await until("the disk works again", () => notes.events.at(-1) === "recovered");
  await appendNumber(spool, 4);
  assert.deepEqual([await numbersOf(cursor), spool.stats.disk.unsavedLines], [[3, 4], 0]);
});

test("unsaved lines are written again without a new append, and at the latest at close", async (t) => {
  const directory = await temporaryDirectory(t);
  const disk = new FaultyDisk();
  const clock = new FakeClock();
  {
    await using bench = await SpoolBench.open(directory, { openFile: disk.open, clock });
    bench.spool.cursor("a");
    for (let number = 0; number < 2; number++) {
      disk.errors.open = "EIO";
      disk.errors.datasync = "EIO";
      await appendNumber(bench.spool, number);
      disk.errors.open = undefined;
      disk.errors.datasync = undefined;
      if (number === 1) break;
      await clock.advance(5_000);
      await until("the line is on disk", () => bench.spool.stats.disk.unsavedLines === 0);
    }
    assert.equal(bench.spool.stats.disk.unsavedLines, 1);
  }
  await using again = await SpoolBench.open(directory, { clock });
  assert.deepEqual(await takeAll(again.spool.cursor("a")), [0, 1]);
});

test("close resolves although the disk hangs", async (t) => {
  const directory = await temporaryDirectory(t);
  const disk = new FaultyDisk();
  const clock = new FakeClock();
  const { spool } = await SpoolBench.open(directory, { openFile: disk.open, clock });
  spool.cursor("a");
  const hanging = Promise.withResolvers<undefined>();
  disk.hanging = hanging.promise;
  const appended = appendNumber(spool, 1);
  await until("the spool waits for the disk", () => clock.sleeping === 2);
  const closed = spool.close();
  await clock.advance(5_000);
  await Promise.all([appended, closed]);
  assert.equal(spool.stats.disk.unsavedLines, 1);
  hanging.resolve(undefined);
  // The test deletes the directory, so the spool must have finished.
  await until("the lock is released", () => !existsSync(path.join(directory, MAIN, "lock")));
});

test("a spool whose directory cannot be created works from memory", async (t) => {
  const directory = path.join(await temporaryDirectory(t), "file");
  await writeFile(directory, "not a directory");
  await using bench = await SpoolBench.open(directory);
  const cursor = bench.spool.cursor("a");
  await appendNumber(bench.spool, 0);
  assert.deepEqual(await takeAll(cursor), [0]);
  assert.match(bench.notes.events[0] ?? "", /^failing .*(EEXIST|ENOTDIR)/);
  await rm(directory);
  await mkdir(directory);
  await appendNumber(bench.spool, 1);
  assert.equal(bench.notes.events.at(-1), "recovered");
});

test("a directory that is deleted while in use is created again", async (t) => {
  const directory = await temporaryDirectory(t);
  const clock = new FakeClock();
  await using bench = await SpoolBench.open(directory, { clock });
  const cursor = bench.spool.cursor("a");
  await appendNumber(bench.spool, 0);
  await rm(path.join(directory, MAIN), { recursive: true });
  await clock.advance(5_000);
  await until("the directory exists again", () => existsSync(path.join(directory, MAIN, "lock")));
  await appendNumber(bench.spool, 1);
  assert.ok((await readdir(path.join(directory, MAIN))).some((name) => name.endsWith(".seg")));
  assert.deepEqual(await takeAll(cursor), [0, 1]);
});
