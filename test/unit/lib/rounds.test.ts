import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { msToNextRound } from "../../../src/lib/rounds.ts";
import { FakeClock } from "../../support/fake-clock.ts";

test("rounds of a period and of its multiples share a wake, whenever their work begins", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 20_000 }),
      fc.integer({ min: 0, max: 20_000 }),
      async (first, second) => {
        const clock = new FakeClock();
        const wakes = { short: [] as number[], long: [] as number[] };
        const repeat = async (kind: keyof typeof wakes, periodMs: number): Promise<void> => {
          for (;;) {
            await clock.sleep(msToNextRound(periodMs, clock));
            wakes[kind].push(clock.monotonic());
          }
        };
        await clock.advance(first);
        void repeat("short", 5_000);
        await clock.advance(second);
        void repeat("long", 10_000);
        await clock.advance(30_000);
        assert.ok(wakes.long.length >= 3 && wakes.long.length <= 4);
        for (const wake of wakes.long) assert.ok(wakes.short.includes(wake), String(wake));
      },
    ),
    { numRuns: 50 },
  );
});

test("a timer that ends a millisecond early makes no additional round", () => {
  const clock = { now: () => 0, sleep: () => Promise.resolve() };
  assert.equal(msToNextRound(5_000, { ...clock, monotonic: () => 5_001.3 }), 5_000);
  assert.equal(msToNextRound(5_000, { ...clock, monotonic: () => 4_999.9 }), 2);
  for (let ms = 0; ms < 5_000; ms += 0.1) {
    const end = ms + msToNextRound(5_000, { ...clock, monotonic: () => ms });
    assert.ok(end - 1 >= 5_000, String(ms));
  }
});
