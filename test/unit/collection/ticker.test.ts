import assert from "node:assert/strict";
import { test } from "node:test";
import { Ticker } from "../../../src/collection/ticker.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const { signal } = new AbortController();

/** Runs `cycles` cycles with the given durations. Returns the start of each, relative to the first. */
async function run(clock: FakeClock, ticker: Ticker, durations: readonly number[]): Promise<number[]> {
  const begun: number[] = [];
  const done = (async () => {
    for (const duration of durations) {
      await ticker.next(signal);
      begun.push(clock.monotonic());
      await clock.sleep(duration);
    }
  })();
  await clock.advance(100_000);
  await done;
  return begun.map((at) => at - (begun[0] ?? 0));
}

test("ticks do not drift with the length of the cycles", async () => {
  const clock = new FakeClock();
  assert.deepEqual(await run(clock, new Ticker(5_000, clock), [10, 4_000, 700, 0]), [0, 5_000, 10_000, 15_000]);
});

test("ticks that pass while a cycle runs are skipped and counted, and cycles never overlap", async () => {
  const clock = new FakeClock();
  const ticker = new Ticker(5_000, clock);
  assert.deepEqual(await run(clock, ticker, [12_000, 0, 0]), [0, 12_000, 15_000]);
  assert.equal(ticker.skipped, 1);
});

test("a new interval counts from the last tick", async () => {
  const clock = new FakeClock();
  const ticker = new Ticker(5_000, clock);
  await ticker.next(signal);
  ticker.intervalMs = 1_000;
  const before = clock.monotonic();
  const next = ticker.next(signal);
  await clock.advance(1_000);
  await next;
  assert.equal(clock.monotonic() - before, 1_000);
});

test("a longer interval delays the next tick even during the wait for it", async () => {
  const clock = new FakeClock();
  const ticker = new Ticker(1_000, clock);
  await ticker.next(signal);
  const begun = clock.monotonic();
  const ticks: number[] = [];
  const done = (async () => {
    for (let tick = 0; tick < 2; tick++) {
      await ticker.next(signal);
      ticks.push(clock.monotonic() - begun);
    }
  })();
  await clock.advance(400);
  ticker.intervalMs = 2_000;
  await clock.advance(10_000);
  await done;
  assert.deepEqual(ticks, [2_000, 4_000]);
});

test("a shorter interval does not wait for the end of the longer one, and counts no tick as skipped", async () => {
  const clock = new FakeClock();
  const ticker = new Ticker(3_600_000, clock);
  await ticker.next(signal);
  const next = ticker.next(signal);
  await clock.advance(60_000);
  ticker.intervalMs = 1_000;
  await clock.advance(0);
  await next;
  assert.equal(ticker.skipped, 0);
});

test("an aborted wait returns at once", async () => {
  const clock = new FakeClock();
  const ticker = new Ticker(5_000, clock);
  await ticker.next(signal);
  const stop = new AbortController();
  const begun = clock.monotonic();
  const next = ticker.next(stop.signal);
  assert.equal(clock.sleeping, 1);
  stop.abort();
  await next;
  assert.deepEqual([clock.sleeping, clock.monotonic() - begun], [0, 0]);
});

test("after a restart the next tick is due at once, and the others follow from there", async () => {
  const clock = new FakeClock();
  const ticker = new Ticker(5_000, clock);
  await ticker.next(signal);
  await clock.advance(1_000);
  ticker.restart();
  assert.deepEqual(await run(clock, ticker, [0, 0]), [0, 5_000]);
  assert.equal(ticker.skipped, 0);
});
