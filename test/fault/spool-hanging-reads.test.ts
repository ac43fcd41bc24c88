import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import { Router } from "../../src/routing/router.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { ObserverLog, until } from "../support/delivery.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { HangingReads } from "../support/hanging-reads.ts";
import { MemoryTarget } from "../support/memory-target.ts";
import { configOf, named } from "../support/router-bench.ts";
import { ALL, appendNumber, numbersOf, SpoolBench, takeAll } from "../support/spool-bench.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/** Advances step by step, with real time for the disk in between, until the promise has settled. */
async function settled<T>(clock: FakeClock, what: string, promise: Promise<T>): Promise<T> {
  const result = promise.then((value) => ({ value }));
  for (let steps = 0; steps < 100; steps++) {
    await clock.advance(500);
    const ended = await Promise.race([result, systemClock.sleep(3)]);
    if (ended !== undefined) return ended.value;
  }
  return assert.fail(`${what} waits for the disk`);
}

test("while the disk hangs in a read, a target is removed, the others get new lines, and the router stops", async (t) => {
  const clock = new FakeClock();
  const bench = await SpoolBench.open(await temporaryDirectory(t), { clock, memoryBytes: 1 });
  const targets: Readonly<Record<string, MemoryTarget>> = { a: new MemoryTarget(), b: new MemoryTarget() };
  const router = new Router({
    node: "node-1",
    clock,
    observer: new ObserverLog(),
    onMissing: () => undefined,
    protocolOf: ({ name }) => (targets[name] ?? new MemoryTarget()).protocol,
    spool: bench.spool,
  });
  const flush = async (name: string): Promise<number> => {
    router.route(named(name));
    return router.flush();
  };
  await router.apply(configOf({ a: ["Metrics"], b: ["Metrics"] }));
  using reads = await HangingReads.begin();
  await flush("one");
  await until("the disk hangs", async () => {
    await clock.advance(100);
    return reads.waiting > 0;
  });
  const applied = router.apply(configOf({ b: ["Metrics"] }));
  await settled(clock, "the removal of a target", applied);
  await settled(clock, "a cycle", flush("two"));
  assert.deepEqual(
    router.senders.map(({ name }) => name),
    ["b"],
  );
  await settled(clock, "the end", router.stop());
  reads.end();
  await bench.spool.close();
});

test("what a hanging disk returns for a removed target is not delivered when the target is added again", async (t) => {
  const clock = new FakeClock();
  await using bench = await SpoolBench.open(await temporaryDirectory(t), { clock, memoryBytes: 100 });
  const cursor = bench.spool.cursor("a");
  for (let number = -9; number < 1; number++) await appendNumber(bench.spool, number);
  using reads = await HangingReads.begin();
  const late = cursor.read(ALL);
  await until("the disk hangs", () => reads.waiting > 0);
  bench.spool.removeCursor("a");
  assert.equal(bench.spool.cursor("a"), cursor);
  await settled(clock, "an append", Promise.all([3, 4].map((number) => appendNumber(bench.spool, number))));
  const numbers = numbersOf(cursor);
  reads.end();
  assert.deepEqual([await late, await numbers], [[], [3, 4]]);
  assert.deepEqual([await takeAll(cursor), cursor.backlog.frames, cursor.droppedLines], [[3, 4], 0, 0]);
});

test("frames that leave memory during a slow read are delivered in order, and not counted as corrupt", async (t) => {
  const root = await temporaryDirectory(t);
  for (const [hangs, appends] of [0, 1, 2].flatMap((after) => [1, 2, 3, 5, 8].map((more) => [after, more] as const))) {
    const clock = new FakeClock();
    const directory = path.join(root, `${hangs}-${appends}`);
    // Three frames in a segment, and five in memory.
    await using bench = await SpoolBench.open(directory, { clock, memoryBytes: 180, maxSegmentBytes: 250 });
    const cursor = bench.spool.cursor("a");
    for (let number = 0; number < 12; number++) await appendNumber(bench.spool, number);
    using reads = await HangingReads.begin(hangs);
    const reading = cursor.read(ALL);
    await until("the disk hangs", () => reads.waiting > 0);
    const more = Array.from({ length: appends }, (_, index) => appendNumber(bench.spool, 12 + index));
    await settled(clock, "an append", Promise.all(more));
    // Those that the disk did not take in time are lost for another reason.
    const kept = 12 + appends - bench.spool.stats.losses.disk;
    reads.end();
    const sequences = (await reading).map(({ sequence }) => Number(sequence));
    cursor.acknowledge(BigInt(sequences.at(-1) ?? 0));
    const all = [...sequences, ...(await takeAll(cursor))];
    assert.deepEqual(
      all,
      [...all].sort((one, other) => one - other),
    );
    assert.deepEqual([all.length, new Set(all).size, cursor.losses.corrupt], [kept, kept, 0], `${hangs} ${appends}`);
  }
});

test("an agent starts while its disk hangs, and what was on the disk is delivered later, once", async (t) => {
  const directory = await temporaryDirectory(t);
  {
    await using before = await SpoolBench.open(directory);
    before.spool.cursor("a");
    for (const number of [0, 1]) await appendNumber(before.spool, number);
  }
  const clock = new FakeClock();
  using reads = await HangingReads.begin(1);
  await using bench = await settled(clock, "the start", SpoolBench.open(directory, { clock }));
  assert.match(bench.notes.events.join(), /^failing .*no answer from the disk within 5000 ms$/);
  const cursor = bench.spool.cursor("a");
  for (const number of [2, 3]) await appendNumber(bench.spool, number);
  assert.deepEqual(await takeAll(cursor), [2, 3]);
  await appendNumber(bench.spool, 4);
  reads.end();
  await until("the lines on the disk are in the spool", async () => {
    await clock.advance(500);
    return bench.notes.events.at(-1) === "taken over 2";
  });
  await appendNumber(bench.spool, 5);
  assert.deepEqual(await takeAll(cursor), [4, 0, 1, 5]);
  assert.deepEqual([bench.spool.stats.disk.unsavedLines, bench.spool.stats.droppedLines], [0, 0]);
  assert.ok(bench.notes.events.includes("recovered"));
});

test("a start that reads a large spool slowly is not taken for a disk that hangs", async (t) => {
  const directory = await temporaryDirectory(t);
  const clock = new FakeClock();
  {
    await using before = await SpoolBench.open(directory, { maxSegmentBytes: 1 });
    before.spool.cursor("a");
    for (const number of [0, 1, 2, 3]) await appendNumber(before.spool, number);
  }
  const opening = SpoolBench.open(directory, { clock });
  let done = false;
  void opening.finally(() => (done = true));
  // Less than the limit passes between two files.
  using slow = await HangingReads.slow(() => clock.advance(done ? 0 : 2_000));
  await using bench = await opening;
  assert.ok(slow.waiting > 3);
  assert.deepEqual(bench.notes.events, []);
  assert.deepEqual(await takeAll(bench.spool.cursor("a")), [0, 1, 2, 3]);
});
