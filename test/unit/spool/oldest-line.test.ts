import assert from "node:assert/strict";
import { test } from "node:test";
import { Lanes } from "../../../src/delivery/lanes.ts";
import { MemorySpool } from "../../../src/spool/memory-spool.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { ALL, appendNumber, HUGE, SpoolBench } from "../../support/spool-bench.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

test("a spool in memory knows how old the oldest line is that waits", async () => {
  const clock = new FakeClock();
  const spool = new MemorySpool(HUGE, clock);
  const cursor = spool.cursor("a");
  assert.equal(cursor.oldestMonotonicMs, undefined);
  const bornAtMs = clock.monotonic();
  await appendNumber(spool, 1);
  await clock.advance(3_000);
  await appendNumber(spool, 2);
  assert.equal(cursor.oldestMonotonicMs, bornAtMs);
  cursor.acknowledge(0n);
  assert.equal(cursor.oldestMonotonicMs, bornAtMs + 3_000);
  cursor.acknowledge(1n);
  assert.equal(cursor.oldestMonotonicMs, undefined);
});

for (const [where, { options, afterMs }] of [
  // After a restart a line is as old as the oldest in its file.
  ["in memory too", { options: {}, afterMs: 0 }],
  ["on disk only", { options: { memoryBytes: 0, maxSegmentBytes: 1 }, afterMs: 3_000 }],
] as const) {
  test(`a spool on disk knows it of lines that are ${where}, and after a restart`, async (t) => {
    const directory = await temporaryDirectory(t);
    const clock = new FakeClock();
    const bornAtMs = clock.monotonic();
    {
      await using bench = await SpoolBench.open(directory, { clock, ...options });
      const cursor = bench.spool.cursor("a");
      await appendNumber(bench.spool, 1);
      await clock.advance(3_000);
      await appendNumber(bench.spool, 2);
      assert.equal(cursor.oldestMonotonicMs, bornAtMs);
      await cursor.read(ALL);
      cursor.acknowledge(0n);
      assert.equal(cursor.oldestMonotonicMs, bornAtMs + 3_000);
    }
    await clock.advance(60_000);
    await using bench = await SpoolBench.open(directory, { clock, ...options });
    assert.equal(bench.spool.cursor("a").oldestMonotonicMs, bornAtMs + afterMs);
    assert.equal(bench.spool.cursor("b").oldestMonotonicMs, undefined);
  });
}

test("of a target with a backlog the oldest line of all its lanes counts, and the losses of all", async () => {
  const clock = new FakeClock();
  const spool = new MemorySpool(HUGE, clock);
  const lanes = new Lanes("main", spool);
  const bornAtMs = clock.monotonic();
  await appendNumber(spool, 1, [lanes.live.name]);
  lanes.startNewLane(clock.now());
  await clock.advance(1_000);
  await appendNumber(spool, 2, [lanes.live.name]);
  assert.equal(lanes.oldestBornAtMs, bornAtMs);
  spool.caps = { maxBytes: 0, maxAgeMs: 1_000_000 };
  assert.deepEqual([lanes.oldestBornAtMs, lanes.losses], [undefined, { cap: 2, age: 0, disk: 0, corrupt: 0 }]);
});
