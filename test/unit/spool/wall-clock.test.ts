import assert from "node:assert/strict";
import { rename } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { until } from "../../support/delivery.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { appendNumber, HUGE, MAIN, SpoolBench, takeAll } from "../../support/spool-bench.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const DAY_MS = 86_400_000;
const HALF_HOUR_MS = 1_800_000;
const NONE = { cap: 0, age: 0, disk: 0, corrupt: 0 };
/** Each frame has a segment of its own, and none is in memory only. */
const ON_DISK = { memoryBytes: 0, maxSegmentBytes: 1 };

interface Wrong {
  readonly what: string;
  /** What happens to the wall clock before each of the four appends, and before the next agent. */
  readonly stepsMs: readonly [number, number, number, number, number];
}

for (const { what, stepsMs } of [
  { what: "two days ahead at a restart", stepsMs: [0, 0, 0, 0, 2 * DAY_MS] },
  { what: "two days behind at a restart", stepsMs: [0, 0, 0, 0, -2 * DAY_MS] },
  { what: "in the year 1970 until it is set", stepsMs: [-1_700_000_000_000, 0, 1_700_000_000_000, 0, 0] },
  { what: "ahead for some lines", stepsMs: [0, 2 * DAY_MS, 0, -2 * DAY_MS, 0] },
  { what: "set to and fro", stepsMs: [0, DAY_MS, -3 * DAY_MS, 5 * DAY_MS, DAY_MS] },
] satisfies readonly Wrong[]) {
  test(`no line is dropped for its age when the wall clock is ${what}`, async (t) => {
    const directory = await temporaryDirectory(t);
    const clock = new FakeClock();
    {
      await using bench = await SpoolBench.open(directory, { clock, ...ON_DISK });
      bench.spool.cursor("a");
      for (const [number, stepMs] of stepsMs.slice(0, 4).entries()) {
        clock.step(stepMs);
        await appendNumber(bench.spool, number);
        await clock.advance(5_000);
      }
    }
    clock.step(stepsMs[4]);
    const caps = { ...HUGE, maxAgeMs: HALF_HOUR_MS };
    for (const agent of ["the next agent", "the one after it"]) {
      await using bench = await SpoolBench.open(directory, { clock, caps, ...ON_DISK });
      await clock.advance(10_000);
      const cursor = bench.spool.cursor("a");
      assert.deepEqual([cursor.backlog.lines, cursor.losses], [4, NONE], agent);
      clock.step(stepsMs[4]);
    }
    await using bench = await SpoolBench.open(directory, { clock, caps, ...ON_DISK });
    assert.deepEqual(await takeAll(bench.spool.cursor("a")), [0, 1, 2, 3]);
  });
}

test("no line of an ended agent is dropped when the wall clock is two days ahead at the takeover", async (t) => {
  const directory = await temporaryDirectory(t);
  const clock = new FakeClock();
  {
    await using bench = await SpoolBench.open(directory, { clock, ...ON_DISK });
    bench.spool.cursor("a");
    for (const number of [0, 1]) await appendNumber(bench.spool, number);
  }
  await rename(path.join(directory, MAIN), path.join(directory, `${MAIN}-0a`));
  clock.step(2 * DAY_MS);
  await using bench = await SpoolBench.open(directory, { clock, caps: { ...HUGE, maxAgeMs: HALF_HOUR_MS } });
  const cursor = bench.spool.cursor("a");
  await clock.advance(5_000);
  await until("the lines are taken over", () => bench.notes.events.includes("taken over 2"));
  assert.deepEqual(await takeAll(cursor), [0, 1]);
  assert.deepEqual(cursor.losses, NONE);
});

for (const [interval, intervalMs] of [
  ["30 seconds", 30_000],
  ["5 minutes", 300_000],
] as const) {
  test(`lines of every ${interval} that are older than the age cap are dropped at a restart`, async (t) => {
    const directory = await temporaryDirectory(t);
    const clock = new FakeClock();
    const perHour = 3_600_000 / intervalMs;
    {
      await using bench = await SpoolBench.open(directory, { clock, ...ON_DISK });
      bench.spool.cursor("a");
      for (let number = 0; number < perHour; number++) {
        await appendNumber(bench.spool, number);
        await clock.advance(intervalMs);
      }
    }
    await using bench = await SpoolBench.open(directory, { clock, ...ON_DISK });
    const cursor = bench.spool.cursor("a");
    bench.spool.caps = { ...HUGE, maxAgeMs: HALF_HOUR_MS };
    const left = await takeAll(cursor);
    assert.equal(left.at(-1), perHour - 1);
    // Of each pause, the first may count as one minute only.
    assert.ok(Math.abs(left.length - perHour / 2) <= 1, `${left.length} of ${perHour} are left`);
    assert.equal(cursor.losses.age, perHour - left.length);
  });
}
