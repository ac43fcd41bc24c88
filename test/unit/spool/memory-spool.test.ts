import assert from "node:assert/strict";
import { test } from "node:test";
import { expandFrame } from "../../../src/spool/gzip-member.ts";
import { MemorySpool } from "../../../src/spool/memory-spool.ts";
import type { SpoolCursor } from "../../../src/spool/spool.ts";
import { batchFrom, batchOf } from "../../support/delivery.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const HUGE = { maxBytes: 1 << 30, maxAgeMs: 3_600_000 };
const ALL = { maxLines: 1_000_000, maxRawBytes: 1 << 30 };
const never = new AbortController().signal;

function spoolOf(caps = HUGE): { readonly spool: MemorySpool; readonly clock: FakeClock } {
  const clock = new FakeClock();
  return { spool: new MemorySpool(caps, clock), clock };
}

/** Resolves to the line counts of the frames in a cursor's backlog. */
async function waiting(cursor: SpoolCursor): Promise<number[]> {
  return (await cursor.read(ALL)).map(({ lines }) => lines);
}

async function acknowledgeAll(cursor: SpoolCursor): Promise<void> {
  const last = (await cursor.read(ALL)).at(-1);
  if (last !== undefined) cursor.acknowledge(last.sequence);
}

test("a frame has the lines of its batch and the time of the append", async () => {
  const { spool, clock } = spoolOf();
  const cursor = spool.cursor("a");
  const batch = batchOf(3);
  await spool.append(batch);
  const [frame] = await cursor.read(ALL);
  assert.ok(frame !== undefined);
  assert.deepEqual(await expandFrame(frame), batch.bytes);
  assert.equal(frame.rawBytes, batch.bytes.length);
  assert.equal(frame.createdAtMs, clock.now());
  assert.deepEqual(cursor.backlog, { frames: 1, lines: 3, bytes: frame.payload.length });
});

test("a large batch becomes several frames, in order", async () => {
  const { spool } = spoolOf();
  const cursor = spool.cursor("a");
  await Promise.all([spool.append(batchOf(2_500)), spool.append(batchOf(7, 2_500))]);
  const frames = await cursor.read(ALL);
  assert.deepEqual(
    frames.map(({ lines }) => lines),
    [1_000, 1_000, 500, 7],
  );
  const texts = await Promise.all(frames.map(async (frame) => Buffer.from(await expandFrame(frame)).toString()));
  assert.equal(texts.join(""), Buffer.from(batchOf(2_507).bytes).toString());
});

test("an empty batch adds no frame", async () => {
  const { spool } = spoolOf();
  const cursor = spool.cursor("a");
  await spool.append(batchFrom([]));
  assert.equal(cursor.newest, undefined);
  const { frames, bytes, appendedLines, droppedLines } = spool.stats;
  assert.deepEqual([frames, bytes, appendedLines, droppedLines], [0, 0, 0, 0]);
});

test("lines without a target are counted and not kept", async () => {
  const { spool } = spoolOf();
  await spool.append(batchOf(5));
  spool.cursor("a");
  await spool.append(batchOf(2), ["b"]);
  await spool.append(batchOf(2), []);
  const { frames, bytes, appendedLines, droppedLines } = spool.stats;
  assert.deepEqual([frames, bytes, appendedLines, droppedLines], [0, 0, 9, 0]);
});

test("a read stays within its limits, but returns at least one frame", async () => {
  const { spool } = spoolOf();
  const cursor = spool.cursor("a");
  for (const count of [10, 20, 30]) await spool.append(batchOf(count));
  const [first, second] = await cursor.read(ALL);
  const firstTwo = (first?.rawBytes ?? 0) + (second?.rawBytes ?? 0);
  const read = async (maxLines: number, maxRawBytes: number): Promise<number> =>
    (await cursor.read({ maxLines, maxRawBytes })).length;
  assert.deepEqual([await read(60, 1 << 20), await read(59, 1 << 20), await read(29, 1 << 20)], [3, 2, 1]);
  assert.deepEqual([await read(60, firstTwo), await read(60, firstTwo - 1), await read(1, 1)], [2, 1, 1]);
});

test("a frame for one target is not in the backlog of another", async () => {
  const { spool } = spoolOf();
  const [a, b] = [spool.cursor("a"), spool.cursor("b")];
  await spool.append(batchOf(1), ["a"]);
  await spool.append(batchOf(2), ["b"]);
  await spool.append(batchOf(3), ["a", "b"]);
  await spool.append(batchOf(4));
  assert.deepEqual(
    [await waiting(a), await waiting(b)],
    [
      [1, 3, 4],
      [2, 3, 4],
    ],
  );
  await acknowledgeAll(b);
  assert.deepEqual(await waiting(a), [1, 3, 4]);
  assert.equal(spool.stats.frames, 3);
});

test("an acknowledged frame is freed although an older one waits for a dead target", async () => {
  const { spool } = spoolOf();
  const [dead, healthy] = [spool.cursor("dead"), spool.cursor("healthy")];
  await spool.append(batchOf(1), ["dead"]);
  for (let round = 0; round < 5; round++) await spool.append(batchOf(9), ["healthy"]);
  await acknowledgeAll(healthy);
  assert.equal(spool.stats.frames, 1);
  assert.equal(spool.stats.bytes, dead.backlog.bytes);
});

test("the byte cap drops the oldest frames, and only targets that need them count a loss", async () => {
  const { spool } = spoolOf();
  const [slow, quick] = [spool.cursor("slow"), spool.cursor("quick")];
  await spool.append(batchOf(10));
  await acknowledgeAll(quick);
  await spool.append(batchOf(20));
  spool.caps = { ...HUGE, maxBytes: spool.stats.bytes };
  assert.deepEqual(await waiting(slow), [10, 20]);
  spool.caps = { ...HUGE, maxBytes: spool.stats.bytes - 1 };
  assert.deepEqual([await waiting(slow), await waiting(quick)], [[20], [20]]);
  assert.deepEqual([slow.droppedLines, quick.droppedLines, spool.stats.droppedLines], [10, 0, 10]);
});

test("a frame larger than the cap is dropped and counted", async () => {
  const { spool } = spoolOf({ ...HUGE, maxBytes: 10 });
  const cursor = spool.cursor("a");
  await spool.append(batchOf(5));
  assert.deepEqual([await waiting(cursor), cursor.droppedLines], [[], 5]);
});

test("frames over the age cap are dropped at the next read", async () => {
  const { spool, clock } = spoolOf({ ...HUGE, maxAgeMs: 1_000 });
  const cursor = spool.cursor("a");
  await spool.append(batchOf(1));
  await clock.advance(600);
  await spool.append(batchOf(2));
  await clock.advance(400);
  assert.deepEqual(await waiting(cursor), [1, 2]);
  await clock.advance(1);
  assert.deepEqual(await waiting(cursor), [2]);
  assert.equal(cursor.droppedLines, 1);
});

test("acknowledging a dropped frame does not acknowledge newer frames", async () => {
  const { spool } = spoolOf();
  const cursor = spool.cursor("a");
  await spool.append(batchOf(10));
  const [sent] = await cursor.read(ALL);
  await spool.append(batchOf(20));
  spool.caps = { ...HUGE, maxBytes: spool.stats.bytes - 1 };
  cursor.acknowledge(sent?.sequence ?? -1n);
  assert.deepEqual(await waiting(cursor), [20]);
});

test("a removed cursor has no backlog, and a new one with its name begins empty", async () => {
  const { spool } = spoolOf();
  const removed = spool.cursor("a");
  const other = spool.cursor("b");
  assert.equal(spool.cursor("a"), removed);
  await spool.append(batchOf(1), ["a"]);
  await spool.append(batchOf(2));
  spool.removeCursor("a");
  spool.removeCursor("unknown");
  assert.deepEqual(removed.backlog, { frames: 0, lines: 0, bytes: 0 });
  assert.equal(spool.stats.frames, 1);
  await spool.append(batchOf(3));
  const again = spool.cursor("a");
  assert.deepEqual([await waiting(removed), await waiting(again), await waiting(other)], [[], [], [2, 3]]);
});

test("ready resolves with a frame for the cursor, or when its signal aborts", async () => {
  const { spool } = spoolOf();
  const cursor = spool.cursor("a");
  spool.cursor("b");
  const events: string[] = [];
  const stop = new AbortController();
  const aborted = cursor.ready(stop.signal).then(() => events.push("aborted"));
  const ready = cursor.ready(never).then(() => events.push("ready"));
  await spool.append(batchOf(1), ["b"]);
  stop.abort();
  await aborted;
  assert.deepEqual(events, ["aborted"]);
  await spool.append(batchOf(1), ["a"]);
  await ready;
  assert.deepEqual(events, ["aborted", "ready"]);
  await cursor.ready(never).then(() => events.push("still ready"));
  spool.removeCursor("a");
  await cursor.ready(stop.signal).then(() => events.push("aborted before"));
  assert.deepEqual(events, ["aborted", "ready", "still ready", "aborted before"]);
});
