import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync, rmSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { expandFrame } from "../../../src/spool/gzip-member.ts";
import { batchOf, until } from "../../support/delivery.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { ALL, appendNumber, HUGE, MAIN, numbersOf, SpoolBench, takeAll } from "../../support/spool-bench.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

test("frames are the same after a restart", async (t) => {
  const directory = await temporaryDirectory(t);
  const clock = new FakeClock();
  const batch = batchOf(1_500);
  {
    await using bench = await SpoolBench.open(directory, { clock });
    bench.spool.cursor("a");
    await bench.spool.append(batch);
  }
  const appendedAtMs = clock.now();
  await clock.advance(60_000);
  await using bench = await SpoolBench.open(directory, { clock });
  const frames = await bench.spool.cursor("a").read(ALL);
  assert.deepEqual(
    frames.map(({ sequence, lines, createdAtMs }) => [sequence, lines, createdAtMs]),
    [
      [0n, 1_000, appendedAtMs],
      [1n, 500, appendedAtMs],
    ],
  );
  const texts = await Promise.all(frames.map(async (frame) => Buffer.from(await expandFrame(frame))));
  assert.deepEqual(Buffer.concat(texts), batch.bytes);
  assert.equal(
    frames.reduce((sum, { rawBytes }) => sum + rawBytes, 0),
    batch.bytes.length,
  );
});

test("appends at the same time share one sync", async (t) => {
  await using bench = await SpoolBench.open(await temporaryDirectory(t));
  const { spool } = bench;
  spool.cursor("a");
  await Promise.all([spool.append(batchOf(2_500)), spool.append(batchOf(10)), spool.append(batchOf(10), ["a"])]);
  assert.deepEqual([spool.stats.frames, spool.stats.disk.syncs], [5, 1]);
  await Promise.all([spool.append(batchOf(10), ["unknown"]), spool.append(batchOf(0))]);
  assert.equal(spool.stats.disk.syncs, 1);
});

test("a cursor does not see a frame before it is durable", async (t) => {
  await using bench = await SpoolBench.open(await temporaryDirectory(t));
  const cursor = bench.spool.cursor("a");
  const appended = appendNumber(bench.spool, 1);
  await cursor.ready(AbortSignal.timeout(60_000));
  assert.equal(bench.spool.stats.disk.segments, 1);
  await appended;
  assert.deepEqual(await numbersOf(cursor), [1]);
});

test("a target that keeps up reads from memory, a slow one from disk", async (t) => {
  const directory = await temporaryDirectory(t);
  await using bench = await SpoolBench.open(directory, { memoryBytes: 600, maxSegmentBytes: 1_000 });
  const [quick, slow] = [bench.spool.cursor("quick"), bench.spool.cursor("slow")];
  for (let number = 0; number < 100; number++) {
    await appendNumber(bench.spool, number);
    if (number < 95) await takeAll(quick);
  }
  for (const name of await readdir(path.join(directory, MAIN))) {
    if (name.endsWith(".seg")) rmSync(path.join(directory, MAIN, name));
  }
  assert.deepEqual(await takeAll(quick), [95, 96, 97, 98, 99]);
  assert.equal(quick.droppedLines, 0);
  const left = await takeAll(slow);
  assert.ok(left.length < 40, `${left.length} frames are in memory`);
  assert.equal(slow.losses.disk, 100 - left.length);
});

test("a segment is deleted when every target has acknowledged its frames", async (t) => {
  const directory = await temporaryDirectory(t);
  await using bench = await SpoolBench.open(directory, { maxSegmentBytes: 300 });
  const { spool } = bench;
  const [quick, slow] = [spool.cursor("quick"), spool.cursor("slow")];
  for (let number = 0; number < 30; number++) await appendNumber(spool, number);
  const { segments } = spool.stats.disk;
  assert.ok(segments > 5);
  await takeAll(quick);
  assert.equal(spool.stats.disk.segments, segments);
  assert.deepEqual(
    await numbersOf(slow),
    Array.from({ length: 30 }, (_, number) => number),
  );
  await takeAll(slow);
  const files = (): string[] => readdirSync(path.join(directory, MAIN)).filter((name) => name.endsWith(".seg"));
  await until("all segments but the newest are deleted", () => files().length === 1);
  assert.equal(spool.stats.disk.segments, 1);
});

test("the byte cap drops the oldest lines, and each target counts its own loss", async (t) => {
  const directory = await temporaryDirectory(t);
  const caps = { ...HUGE, maxBytes: 64 * 1024 };
  await using bench = await SpoolBench.open(directory, { caps, maxSegmentBytes: 4 * 1024 });
  const { spool } = bench;
  const [quick, slow] = [spool.cursor("quick"), spool.cursor("slow")];
  let most = 0;
  for (let number = 0; number < 200; number++) {
    const noise = randomBytes(750).toString("base64");
    await spool.append({ lines: 1, bytes: Buffer.from(`m f=${number}i,noise="${noise}" 1\n`) });
    if (number < 150) await takeAll(quick);
    most = Math.max(most, await sizeOf(path.join(directory, MAIN)));
  }
  assert.ok(most <= caps.maxBytes + 1_000, `${most} bytes`);
  const left = await takeAll(slow);
  assert.deepEqual(
    left,
    Array.from({ length: left.length }, (_, index) => 200 - left.length + index),
  );
  assert.ok(left.length * 800 > 0.8 * caps.maxBytes, `only ${left.length} lines are left`);
  assert.deepEqual({ ...slow.losses }, { cap: 200 - left.length, age: 0, disk: 0, corrupt: 0 });
  assert.deepEqual([(await takeAll(quick)).length, quick.droppedLines], [50, 0]);
  assert.equal(spool.stats.losses.cap, slow.losses.cap);
});

test("a smaller cap takes effect immediately", async (t) => {
  await using bench = await SpoolBench.open(await temporaryDirectory(t), { maxSegmentBytes: 300 });
  const { spool } = bench;
  const cursor = spool.cursor("a");
  for (let number = 0; number < 30; number++) await appendNumber(spool, number);
  spool.caps = { ...HUGE, maxBytes: 700 };
  await until("the cap holds", () => spool.stats.bytes <= 700);
  const left = await takeAll(cursor);
  assert.deepEqual(
    left,
    [...left.keys()].map((index) => 30 - left.length + index),
  );
  assert.equal(cursor.losses.cap, 30 - left.length);
});

test("a frame that a cap drops during a read is not returned by that read", async (t) => {
  const options = { memoryBytes: 0, maxSegmentBytes: 1 };
  await using bench = await SpoolBench.open(await temporaryDirectory(t), options);
  const { spool } = bench;
  const cursor = spool.cursor("a");
  for (let number = 0; number < 10; number++) await appendNumber(spool, number);
  const reading = cursor.read(ALL);
  spool.caps = { ...HUGE, maxBytes: spool.stats.bytes / 2 };
  const frames = await reading;
  assert.equal(cursor.losses.cap, 5);
  assert.deepEqual(
    frames.map(({ sequence }) => sequence),
    [5n, 6n, 7n, 8n, 9n],
  );
});

test("the age cap uses the monotonic clock, also for a backlog from before the start", async (t) => {
  const directory = await temporaryDirectory(t);
  const clock = new FakeClock();
  const options = { clock, caps: { ...HUGE, maxAgeMs: 100_000 }, maxSegmentBytes: 1 };
  {
    await using bench = await SpoolBench.open(directory, options);
    bench.spool.cursor("a");
    await appendNumber(bench.spool, 1);
    await clock.advance(50_000);
    await appendNumber(bench.spool, 2);
  }
  await using bench = await SpoolBench.open(directory, options);
  const cursor = bench.spool.cursor("a");
  assert.deepEqual(await numbersOf(cursor), [1, 2]);
  await clock.advance(50_001);
  await cursor.read(ALL);
  await until("the older line is dropped", () => cursor.losses.age === 1);
  assert.deepEqual(await takeAll(cursor), [2]);
});

test("an old segment gets no more lines, so that the age cap can drop it", async (t) => {
  const clock = new FakeClock();
  await using bench = await SpoolBench.open(await temporaryDirectory(t), {
    clock,
    caps: { ...HUGE, maxAgeMs: 160_000 },
  });
  bench.spool.cursor("a");
  for (let number = 0; number < 3; number++) {
    await appendNumber(bench.spool, number);
    await clock.advance(9_000);
  }
  assert.equal(bench.spool.stats.disk.segments, 2);
});

async function sizeOf(directory: string): Promise<number> {
  const names = (await readdir(directory)).filter((name) => name.endsWith(".seg"));
  const sizes = await Promise.all(names.map(async (name) => (await stat(path.join(directory, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

test("recent returns the recent frames in memory, and does not affect reads", async (t) => {
  const clock = new FakeClock();
  const options = { clock, memoryBytes: 100, maxSegmentBytes: 1 };
  await using bench = await SpoolBench.open(await temporaryDirectory(t), options);
  const cursor = bench.spool.cursor("a");
  for (const number of [0, 1, 2, 3, 4, 5]) {
    await clock.advance(1_000);
    await appendNumber(bench.spool, number);
  }
  const recent = (agoMs: number): number[] =>
    cursor.recent(clock.now() - agoMs).map(({ sequence }) => Number(sequence));
  assert.deepEqual([recent(-1), recent(0), recent(1_000)], [[], [5], [4, 5]]);
  assert.ok(recent(60_000).length < 6, "all of them are in memory");
  const [first] = await cursor.read({ maxLines: 1, maxRawBytes: 1_000 });
  assert.deepEqual(recent(1_000), [4, 5]);
  cursor.acknowledge(first?.sequence ?? -1n);
  assert.deepEqual(await numbersOf(cursor), [1, 2, 3, 4, 5]);
});

test("a reader is woken for a frame that leaves memory as soon as it is on disk", async (t) => {
  await using bench = await SpoolBench.open(await temporaryDirectory(t), { memoryBytes: 1 });
  const cursor = bench.spool.cursor("a");
  const ended = new AbortController();
  const ready = cursor.ready(ended.signal).then(() => ended.signal.aborted);
  await appendNumber(bench.spool, 0);
  setImmediate(() => {
    ended.abort();
  });
  assert.equal(await ready, false);
});
