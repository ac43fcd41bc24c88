import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { suite, test } from "node:test";
import type { DurableSpool } from "../../src/spool/durable-spool.ts";
import { expandFrame } from "../../src/spool/gzip-member.ts";
import type { SpoolCursor } from "../../src/spool/spool.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { until } from "../support/delivery.ts";
import { skipWithoutMounts, smallDisk } from "../support/small-disk.ts";
import { ALL, SpoolBench } from "../support/spool-bench.ts";

const MIB = 1 << 20;
const LINE_BYTES = 10_000;

/** Appends a numbered line that compression does not make smaller. */
async function appendLarge(spool: DurableSpool, number: number): Promise<void> {
  const noise = randomBytes((LINE_BYTES * 3) / 4).toString("base64");
  await spool.append({ lines: 1, bytes: Buffer.from(`m n=${number}i,noise="${noise}" 1\n`) });
}

/** Reads and acknowledges the whole backlog of a cursor; resolves to the numbers of its lines. */
async function takeNumbers(cursor: SpoolCursor): Promise<number[]> {
  const numbers: number[] = [];
  while (cursor.backlog.frames > 0) {
    const frames = await cursor.read(ALL);
    for (const frame of frames) {
      const text = Buffer.from(await expandFrame(frame)).toString();
      numbers.push(Number(/n=(\d+)i/.exec(text)?.[1]));
    }
    for (const { sequence } of frames.slice(-1)) cursor.acknowledge(sequence);
  }
  return numbers;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}

void suite("a full disk", { skip: skipWithoutMounts("spools on a full disk") }, () => {
  test("the oldest lines are dropped and counted, and the newest are kept", async (t) => {
    const directory = await smallDisk(t, MIB);
    {
      await using bench = await SpoolBench.open(directory, { maxSegmentBytes: 100_000, memoryBytes: 50_000 });
      const cursor = bench.spool.cursor("a");
      for (let number = 0; number < 300; number++) await appendLarge(bench.spool, number);
      const { lines } = cursor.backlog;
      assert.ok(lines * LINE_BYTES > MIB / 2, `only ${lines} lines are left`);
      assert.deepEqual({ ...cursor.losses }, { cap: 0, age: 0, disk: 300 - lines, corrupt: 0 });
      assert.ok((bench.spool.stats.disk.writeErrors["ENOSPC"] ?? 0) > 0, "the disk was never full");
      assert.equal(bench.spool.stats.disk.unsavedLines, 0);
      // Dropping old lines freed enough space each time, so the observer is not called.
      assert.deepEqual(bench.notes.events, []);
    }
    await using again = await SpoolBench.open(directory);
    const left = await takeNumbers(again.spool.cursor("a"));
    assert.deepEqual(left, range(300 - left.length, 300));
    assert.equal(again.spool.stats.disk.corruptFrames, 0);
  });

  test("while other files fill the disk, lines stay in memory, and are written later", async (t) => {
    const directory = await smallDisk(t, MIB);
    const filler = path.join(directory, "filler");
    await using bench = await SpoolBench.open(directory, { maxSegmentBytes: 100_000 });
    const cursor = bench.spool.cursor("a");
    await fill(filler);
    for (let number = 0; number < 40; number++) await appendLarge(bench.spool, number);
    assert.equal(bench.notes.events.length, 1);
    assert.match(bench.notes.events[0] ?? "", /^failing .*ENOSPC/);
    assert.ok(bench.spool.stats.disk.unsavedLines > 0);
    await rm(filler);
    await appendLarge(bench.spool, 40);
    assert.equal(bench.notes.events.at(-1), "recovered");
    assert.equal(bench.spool.stats.disk.unsavedLines, 0);
    assert.deepEqual(await takeNumbers(cursor), range(0, 41));
    assert.equal(cursor.droppedLines, 0);
  });

  test("a spool on a full disk opens, delivers its lines and accepts new ones", async (t) => {
    const directory = await smallDisk(t, MIB);
    {
      await using bench = await SpoolBench.open(directory);
      bench.spool.cursor("a");
      for (let number = 0; number < 10; number++) await appendLarge(bench.spool, number);
    }
    await fill(path.join(directory, "filler"));
    await using bench = await SpoolBench.open(directory);
    const cursor = bench.spool.cursor("a");
    await appendLarge(bench.spool, 10);
    assert.deepEqual(await takeNumbers(cursor), range(cursor.droppedLines, 11));
    await appendLarge(bench.spool, 11);
    assert.deepEqual(await takeNumbers(cursor), [11]);
  });

  test("lines are dropped before the disk is full, so that the kubelet does not evict pods", async (t) => {
    const directory = await smallDisk(t, 4 * MIB);
    const clock = new FakeClock();
    const options = { clock, minFreeShare: 0.5, maxSegmentBytes: 100_000 };
    await using bench = await SpoolBench.open(directory, options);
    const cursor = bench.spool.cursor("a");
    for (let number = 0; number < 400; number++) await appendLarge(bench.spool, number);
    await clock.advance(5_000);
    await until(
      "space is free and the maintenance loop sleeps again",
      () => cursor.losses.disk > 0 && clock.sleeping === 1,
    );
    assert.ok(bench.spool.stats.bytes <= 2 * MIB);
    assert.ok(bench.spool.stats.bytes > 1.8 * MIB, "too much was dropped");
    const left = await takeNumbers(cursor);
    assert.deepEqual(left, range(400 - left.length, 400));
    assert.equal(left.length + cursor.losses.disk, 400);
  });
});

/** Writes a file until the disk is full. */
async function fill(file: string): Promise<void> {
  await assert.rejects(writeFile(file, Buffer.alloc(16 * MIB)), { code: "ENOSPC" });
}
