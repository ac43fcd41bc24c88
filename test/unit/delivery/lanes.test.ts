import assert from "node:assert/strict";
import { test } from "node:test";
import { laneNames, Lanes, type Rules } from "../../../src/delivery/lanes.ts";
import { MemorySpool } from "../../../src/spool/memory-spool.ts";
import { batchOf } from "../../support/delivery.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { CAPS } from "../../support/sender-bench.ts";

const RULES: Rules = { nowMs: 10_000, fullLines: 100, intervalMs: 1_000, hurry: false };

function setUp(): { spool: MemorySpool; lanes: Lanes; append: (lines: number) => Promise<void> } {
  const spool = new MemorySpool(CAPS, new FakeClock());
  const lanes = new Lanes("main", spool);
  return { spool, lanes, append: (lines) => spool.append(batchOf(lines), [lanes.live.name]) };
}

/** The name of the lane whose turn it is, and when. */
function next(lanes: Lanes, change: Partial<Rules> = {}): [string | undefined, number | undefined] {
  const turn = lanes.next({ ...RULES, ...change });
  return [turn?.lane.name, turn?.inMs];
}

test("the first lane has the target's own name, and no two targets share one", () => {
  assert.deepEqual(laneNames("main").slice(0, 2), ["main", "main/2"]);
  const names = ["a", "b", "a-2"].flatMap(laneNames);
  assert.equal(new Set(names).size, names.length);
});

test("nothing is due without lines", () => {
  assert.deepEqual(next(setUp().lanes), [undefined, undefined]);
});

test("lines wait for the flush interval since the request before, unless they fill one", async () => {
  const { lanes, append } = setUp();
  lanes.live.lastSentMs = 9_400;
  await append(99);
  assert.deepEqual(next(lanes), ["main", 400]);
  assert.deepEqual(next(lanes, { hurry: true }), ["main", 0]);
  await append(1);
  assert.deepEqual(next(lanes), ["main", 0]);
});

test("what is new goes first, then the oldest; a lane that must wait lets others go", async () => {
  const { lanes, append } = setUp();
  const order = [];
  for (let lane = 0; lane < 3; lane++) {
    await append(1);
    order.push(lanes.live);
    if (lane < 2) lanes.part();
  }
  const [oldest, older, live] = order;
  assert.ok(oldest !== undefined && older !== undefined && live !== undefined);
  assert.deepEqual(next(lanes), [live.name, 0]);
  live.lastSentMs = RULES.nowMs;
  assert.deepEqual(next(lanes), [oldest.name, 0]);
  oldest.pacedUntilMs = RULES.nowMs + 700;
  assert.deepEqual(next(lanes), [older.name, 0]);
  older.retryAtMs = RULES.nowMs + 600;
  assert.deepEqual(next(lanes), [older.name, 600]);
  assert.deepEqual(next(lanes, { hurry: true }), [live.name, 0]);
  lanes.retry();
  assert.deepEqual(next(lanes), [older.name, 0]);
});

test("no more lanes are parted than there are, and one that is empty is used again", async () => {
  const { spool, lanes, append } = setUp();
  const used = new Set<string>();
  for (let round = 0; round < 10; round++) {
    await append(1);
    used.add(lanes.live.name);
    lanes.part();
  }
  assert.deepEqual([...used].sort(), [...laneNames("main")].sort());
  const { newest = -1n } = spool.cursor("main/2");
  spool.cursor("main/2").acknowledge(newest);
  lanes.part();
  assert.equal(lanes.live.name, "main/2");
});

test("it all counts together", async () => {
  const { spool, lanes, append } = setUp();
  await append(3);
  lanes.part();
  await append(4);
  assert.deepEqual([lanes.backlog.frames, lanes.backlog.lines], [2, 7]);
  assert.equal(lanes.backlog.bytes, spool.stats.bytes);
  assert.deepEqual([lanes.newest, lanes.lacks(0n), lanes.lacks(-1n)], [1n, true, false]);
  spool.caps = { ...CAPS, maxBytes: 0 };
  assert.deepEqual([lanes.backlog.lines, lanes.droppedLines, lanes.losses.cap], [0, 7, 7]);
  assert.deepEqual([lanes.newest, lanes.lacks(1n)], [-1n, false]);
});

test("after a restart the lane with the newest lines is the present", async () => {
  const { spool, lanes, append } = setUp();
  await append(1);
  lanes.part();
  await append(1);
  assert.equal(new Lanes("main", spool).live.name, lanes.live.name);
});

test("an empty lane that gets something is noticed, and so is the end of waiting", async () => {
  const { lanes, append } = setUp();
  await append(1);
  lanes.part();
  const given = new AbortController();
  const filled = lanes.filled(new AbortController().signal);
  const givenUp = lanes.filled(given.signal);
  given.abort();
  await givenUp;
  await append(1);
  await filled;
});

test("when the target takes something, a lane that waited for that goes on at once", async () => {
  const { spool, lanes, append } = setUp();
  await append(2);
  const frames = await spool.cursor("main").read({ maxLines: 10, maxRawBytes: 1_000 });
  const search = await lanes.live.beginSearch(frames, { maxLines: 10, maxBytes: 1_000 }, () => 0);
  lanes.live.retryAtMs = RULES.nowMs + 60_000;
  lanes.vouch();
  assert.deepEqual(next(lanes), ["main", 60_000]);
  search.blameFaults();
  lanes.vouch();
  assert.deepEqual(next(lanes), ["main", 0]);
});

test("what is known of a batch that may be at fault is not held against another one", async () => {
  const { spool, lanes, append } = setUp();
  await append(1);
  await append(1);
  const [first, second] = (await spool.cursor("main").read({ maxLines: 10, maxRawBytes: 1_000 })).map((frame) => [
    frame,
  ]);
  assert.ok(first !== undefined && second !== undefined);
  const now = { sinceMs: 5, passes: 7 };
  assert.deepEqual(lanes.live.suspect(first, now), { ...now, head: 0n, attempts: 0 });
  assert.deepEqual(lanes.live.suspect(first, { sinceMs: 9, passes: 9 }), { ...now, head: 0n, attempts: 1 });
  assert.deepEqual(lanes.live.suspect(second, now), { ...now, head: 1n, attempts: 0 });
  lanes.live.clear();
  assert.deepEqual(lanes.live.suspect(second, now), { ...now, head: 1n, attempts: 0 });
});
