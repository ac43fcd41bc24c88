import assert from "node:assert/strict";
import { test } from "node:test";
import { Lanes } from "../../../src/delivery/lanes.ts";
import { MemorySpool } from "../../../src/spool/memory-spool.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { ALL, appendNumber, HUGE, SpoolBench } from "../../support/spool-bench.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

test("a cursor of a spool in memory has the time of its oldest line", async () => {
  const clock = new FakeClock();
  const spool = new MemorySpool(HUGE, clock);
  const cursor = spool.cursor("a");
  assert.equal(cursor.oldestMonotonicMs, undefined);
  const appendedAtMs = clock.monotonic();
  await appendNumber(spool, 1);
  await clock.advance(3_000);
  await appendNumber(spool, 2);
  assert.equal(cursor.oldestMonotonicMs, appendedAtMs);
  cursor.acknowledge(0n);
  assert.equal(cursor.oldestMonotonicMs, appendedAtMs + 3_000);
  cursor.acknowledge(1n);
  assert.equal(cursor.oldestMonotonicMs, undefined);
});

for (const [where, { options, afterMs }] of [
  // After a restart the time is that of the oldest line in the same file.
  ["in memory", { options: {}, afterMs: 0 }],
  ["on disk only", { options: { memoryBytes: 0, maxSegmentBytes: 1 }, afterMs: 3_000 }],
] as const) {
  test(`a cursor of a spool on disk has the time of its oldest line, ${where} and after a restart`, async (t) => {
    const directory = await temporaryDirectory(t);
    const clock = new FakeClock();
    const appendedAtMs = clock.monotonic();
    {
      await using bench = await SpoolBench.open(directory, { clock, ...options });
      const cursor = bench.spool.cursor("a");
      await appendNumber(bench.spool, 1);
      await clock.advance(3_000);
      await appendNumber(bench.spool, 2);
      assert.equal(cursor.oldestMonotonicMs, appendedAtMs);
      await cursor.read(ALL);
      cursor.acknowledge(0n);
      assert.equal(cursor.oldestMonotonicMs, appendedAtMs + 3_000);
    }
    await clock.advance(60_000);
    await using bench = await SpoolBench.open(directory, { clock, ...options });
    assert.equal(bench.spool.cursor("a").oldestMonotonicMs, appendedAtMs + afterMs);
    assert.equal(bench.spool.cursor("b").oldestMonotonicMs, undefined);
  });
}

test("the oldest line and the losses of a target are those of all its lanes", async () => {
  const clock = new FakeClock();
  const spool = new MemorySpool(HUGE, clock);
  const lanes = new Lanes("main", spool);
  const appendedAtMs = clock.monotonic();
  await appendNumber(spool, 1, [lanes.live.name]);
  lanes.startNewLane(clock.now());
  await clock.advance(1_000);
  await appendNumber(spool, 2, [lanes.live.name]);
  assert.equal(lanes.oldestMonotonicMs, appendedAtMs);
  spool.caps = { maxBytes: 0, maxAgeMs: 1_000_000 };
  assert.deepEqual([lanes.oldestMonotonicMs, lanes.losses], [undefined, { cap: 2, age: 0, disk: 0, corrupt: 0 }]);
});
