import assert from "node:assert/strict";
import { test } from "node:test";
import { INFLUX } from "../../../src/delivery/influx/influx.ts";
import type { Lane } from "../../../src/delivery/lane.ts";
import { laneNames, Lanes, type Schedule } from "../../../src/delivery/lanes.ts";
import { MemorySpool } from "../../../src/spool/memory-spool.ts";
import { batchOf } from "../../support/delivery.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { CAPS } from "../../support/sender-bench.ts";
import { turns } from "../../support/turns.ts";

const SCHEDULE: Schedule = { nowMs: 10_000, fullLines: 100, intervalMs: 1_000, draining: false };

/** No queued line is sent before the backlog. */
const NOTHING_FIRST = Infinity;
const SEARCH = { maxBytes: 1_000, protocol: INFLUX, random: () => 0 };
const ALL = { maxLines: 1_000_000, maxRawBytes: 1 << 30 };

interface Bench {
  readonly clock: FakeClock;
  readonly spool: MemorySpool;
  readonly lanes: Lanes;
  readonly append: (lines: number) => Promise<void>;
}

function setUp(): Bench {
  const clock = new FakeClock();
  const spool = new MemorySpool(CAPS, clock);
  const lanes = new Lanes("main", spool);
  return { clock, spool, lanes, append: (lines) => spool.append(batchOf(lines), [lanes.live.name]) };
}

/** Appends frames of 1, 2 and 3 lines, a second apart. The first is a backlog, the others are new. */
async function setUpNewestFirst(): Promise<Bench & { readonly newestFirst: Lane }> {
  const bench = setUp();
  const { clock, lanes, append } = bench;
  for (const lines of [1, 2, 3]) {
    await clock.advance(1_000);
    await append(lines);
  }
  lanes.startNewLane(clock.now() - 1_000);
  const newestFirst = lanes.next(SCHEDULE)?.lane;
  assert.ok(newestFirst !== undefined && lanes.hasNewLines(newestFirst));
  return { ...bench, newestFirst };
}

/** Returns the line counts of the frames that a lane would send. */
async function counts(lane: Lane | undefined): Promise<number[] | undefined> {
  return (await lane?.read(ALL))?.map(({ lines }) => lines);
}

/** Returns the name of the next lane and the time until it is due. */
function next(lanes: Lanes, change: Partial<Schedule> = {}): [string | undefined, number | undefined] {
  const due = lanes.next({ ...SCHEDULE, ...change });
  return [due?.lane.name, due?.inMs];
}

test("the first lane has the target's own name, and no two targets share a lane", () => {
  assert.deepEqual(laneNames("main").slice(0, 2), ["main", "main/2"]);
  const names = ["a", "b", "a-2"].flatMap(laneNames);
  assert.equal(new Set(names).size, names.length);
});

test("no lane is due without lines", () => {
  assert.deepEqual(next(setUp().lanes), [undefined, undefined]);
});

test("fewer lines than a request holds wait for the flush interval", async () => {
  const { lanes, append } = setUp();
  lanes.live.lastSentMs = 9_400;
  await append(99);
  assert.deepEqual(next(lanes), ["main", 400]);
  assert.deepEqual(next(lanes, { draining: true }), ["main", 0]);
  await append(1);
  assert.deepEqual(next(lanes), ["main", 0]);
});

test("new lines are due first, then the oldest lane that need not wait", async () => {
  const { lanes, append } = setUp();
  const order = [];
  for (let lane = 0; lane < 3; lane++) {
    await append(1);
    order.push(lanes.live);
    if (lane < 2) lanes.startNewLane(NOTHING_FIRST);
  }
  const [oldest, older, live] = order;
  assert.ok(oldest !== undefined && older !== undefined && live !== undefined);
  assert.deepEqual(next(lanes), [live.name, 0]);
  live.lastSentMs = SCHEDULE.nowMs;
  assert.deepEqual(next(lanes), [oldest.name, 0]);
  oldest.pacedUntilMs = SCHEDULE.nowMs + 700;
  assert.deepEqual(next(lanes), [older.name, 0]);
  older.retryAtMs = SCHEDULE.nowMs + 600;
  assert.deepEqual(next(lanes), [older.name, 600]);
  assert.deepEqual(next(lanes, { draining: true }), [live.name, 0]);
  lanes.retryNow();
  assert.deepEqual(next(lanes), [older.name, 0]);
});

test("all backlogs of a target share one pace, and new lines have another", async () => {
  const { lanes, append } = setUp();
  for (let lane = 0; lane < 3; lane++) {
    await append(1);
    if (lane < 2) lanes.startNewLane(NOTHING_FIRST);
  }
  const { live } = lanes;
  live.lastSentMs = SCHEDULE.nowMs;
  const oldest = lanes.next(SCHEDULE)?.lane;
  assert.ok(oldest !== undefined && oldest !== live);
  lanes.pace(oldest, SCHEDULE.nowMs + 700);
  assert.deepEqual(next(lanes), [oldest.name, 700]);
  live.lastSentMs = Number.NEGATIVE_INFINITY;
  assert.deepEqual(next(lanes), [live.name, 0]);
  lanes.pace(live, SCHEDULE.nowMs + 900);
  assert.deepEqual(next(lanes), [oldest.name, 700]);
});

test("at most four lanes are used, and an empty one is used again", async () => {
  const { spool, lanes, append } = setUp();
  const used = new Set<string>();
  for (let round = 0; round < 10; round++) {
    await append(1);
    used.add(lanes.live.name);
    lanes.startNewLane(NOTHING_FIRST);
  }
  assert.deepEqual([...used].sort(), [...laneNames("main")].sort());
  const { newest = -1n } = spool.cursor("main/2");
  spool.cursor("main/2").acknowledge(newest);
  lanes.startNewLane(NOTHING_FIRST);
  assert.equal(lanes.live.name, "main/2");
});

test("backlog and losses are the sums of all lanes", async () => {
  const { spool, lanes, append } = setUp();
  await append(3);
  lanes.startNewLane(NOTHING_FIRST);
  await append(4);
  assert.deepEqual([lanes.backlog.frames, lanes.backlog.lines], [2, 7]);
  assert.equal(lanes.backlog.bytes, spool.stats.bytes);
  assert.deepEqual([lanes.newest, lanes.hasUpTo(0n), lanes.hasUpTo(-1n)], [1n, true, false]);
  spool.caps = { ...CAPS, maxBytes: 0 };
  assert.deepEqual([lanes.backlog.lines, lanes.droppedLines, lanes.losses.cap], [0, 7, 7]);
  assert.deepEqual([lanes.newest, lanes.hasUpTo(1n)], [-1n, false]);
});

test("after a restart the lane with the newest lines is the live one", async () => {
  const { spool, lanes, append } = setUp();
  await append(1);
  lanes.startNewLane(NOTHING_FIRST);
  await append(1);
  assert.equal(new Lanes("main", spool).live.name, lanes.live.name);
});

test("filled() resolves when an empty lane gets lines, or when the signal aborts", async () => {
  const { lanes, append } = setUp();
  await append(1);
  lanes.startNewLane(NOTHING_FIRST);
  const abort = new AbortController();
  const ended: string[] = [];
  const filled = lanes.filled(new AbortController().signal).then(() => ended.push("filled"));
  const aborted = lanes.filled(abort.signal).then(() => ended.push("aborted"));
  await turns(2);
  assert.deepEqual(ended, []);
  abort.abort();
  await aborted;
  await turns(2);
  assert.deepEqual(ended, ["aborted"]);
  await append(1);
  await filled;
  assert.deepEqual(ended, ["aborted", "filled"]);
});

test("when the target accepts lines, a search that waited for that continues at once", async () => {
  const { spool, lanes, append } = setUp();
  await append(2);
  const frames = await spool.cursor("main").read({ maxLines: 10, maxRawBytes: 1_000 });
  const search = await lanes.live.startSearch(frames, { ...SEARCH, maxLines: 10 });
  lanes.live.retryAtMs = SCHEDULE.nowMs + 60_000;
  lanes.targetAccepts();
  assert.deepEqual(next(lanes), ["main", 60_000]);
  search.treat500AsBadLines();
  lanes.targetAccepts();
  assert.deepEqual(next(lanes), ["main", 0]);
});

test("suspicion of a batch does not carry over to another batch", async () => {
  const { spool, lanes, append } = setUp();
  await append(1);
  await append(1);
  const [first, second] = (await spool.cursor("main").read({ maxLines: 10, maxRawBytes: 1_000 })).map((frame) => [
    frame,
  ]);
  assert.ok(first !== undefined && second !== undefined);
  const now = { sinceMs: 5, acceptedRequests: 7 };
  assert.deepEqual(lanes.live.suspectBatch(first, "retry", now), { ...now, kind: "retry", head: 0n, attempts: 0 });
  assert.deepEqual(lanes.live.suspectBatch(first, "retry", { sinceMs: 9, acceptedRequests: 9 }), {
    ...now,
    kind: "retry",
    head: 0n,
    attempts: 1,
  });
  assert.deepEqual(lanes.live.suspectBatch(second, "retry", now), { ...now, kind: "retry", head: 1n, attempts: 0 });
  lanes.live.clearSuspicion();
  assert.deepEqual(lanes.live.suspectBatch(second, "retry", now), { ...now, kind: "retry", head: 1n, attempts: 0 });
});

test("new lines in a lane with a backlog are sent first, and skipped later", async () => {
  const { lanes, append, newestFirst } = await setUpNewestFirst();
  await append(4);
  assert.deepEqual(await counts(newestFirst), [2, 3]);
  assert.deepEqual(newestFirst.backlog.lines, 5);
  newestFirst.acknowledge(1n);
  assert.deepEqual(await counts(newestFirst), [3]);
  newestFirst.acknowledge(2n);
  const backlog = lanes.next({ ...SCHEDULE, draining: true })?.lane;
  assert.deepEqual(await counts(backlog), [4]);
  backlog?.acknowledge(3n);
  const old = lanes.next(SCHEDULE)?.lane;
  assert.deepEqual(await counts(old), [1]);
  old?.acknowledge(0n);
  assert.deepEqual(await counts(old), []);
  assert.equal(lanes.backlog.frames, 0);
});

test("lines of an append that ends late are looked for at every flush interval", async () => {
  const { spool, lanes, newestFirst } = await setUpNewestFirst();
  newestFirst.acknowledge(2n);
  const [old] = [lanes.next(SCHEDULE)?.lane];
  assert.ok(old !== undefined);
  old.pacedUntilMs = SCHEDULE.nowMs + 60_000;
  assert.deepEqual(next(lanes), ["main", SCHEDULE.intervalMs]);
  await spool.append(batchOf(7), ["main"]);
  assert.deepEqual(next(lanes), ["main", 0]);
  assert.deepEqual(await counts(newestFirst), [7]);
});

test("the newest-first lane ends with its backlog, even during a search", async () => {
  const { spool, lanes, append, newestFirst } = await setUpNewestFirst();
  await newestFirst.startSearch(await newestFirst.read(ALL), { ...SEARCH, maxLines: 1 });
  spool.cursor("main").acknowledge(2n);
  assert.deepEqual(next(lanes), [undefined, undefined]);
  assert.equal(lanes.hasNewLines(newestFirst), false);
  lanes.live.lastSentMs = SCHEDULE.nowMs;
  await append(1);
  assert.deepEqual(next(lanes), [lanes.live.name, SCHEDULE.intervalMs]);
});

test("numbers of frames that were sent first and then dropped are forgotten", async () => {
  const { spool, lanes, newestFirst } = await setUpNewestFirst();
  newestFirst.acknowledge(2n);
  const old = lanes.next(SCHEDULE)?.lane;
  assert.equal(old?.alreadySent.size, 2);
  spool.caps = { ...CAPS, maxBytes: 0 };
  lanes.startNewLane(NOTHING_FIRST);
  assert.equal(old.alreadySent.size, 0);
});
