import assert from "node:assert/strict";
import { test } from "node:test";
import { EventLoopLag } from "../../../src/observability/process-view.ts";
import { FakeClock } from "../../support/fake-clock.ts";

test("the lag histogram counts each sleep that ends with its delay, and none that ends early", async () => {
  const clock = new FakeClock();
  const lag = new EventLoopLag();
  const measured = lag.measured(clock);
  void measured.sleep(500);
  void measured.sleep(2_000);
  await clock.advance(2_000);
  assert.deepEqual([lag.histogram.count, lag.histogram.sum], [2, 0]);
  const stop = new AbortController();
  const [late, early] = [measured.sleep(1_000), measured.sleep(60_000, stop.signal)];
  clock.block(2_800);
  await clock.advance(0);
  await late;
  assert.deepEqual([lag.histogram.count, lag.histogram.sum], [3, 1.8]);
  stop.abort();
  await early;
  assert.equal(lag.histogram.count, 3);
});

test("measuring the lag adds no timer, so it does not wake an idle agent", () => {
  const clock = new FakeClock();
  const measured = new EventLoopLag().measured(clock);
  assert.equal(clock.sleeping, 0);
  void measured.sleep(10_000);
  assert.equal(clock.sleeping, 1);
});

test("one pause counts once, however many sleeps it makes late", async () => {
  const clock = new FakeClock();
  const lag = new EventLoopLag();
  const measured = lag.measured(clock);
  const sleeps = [1_000, 1_000, 1_500, 2_000].map((ms) => measured.sleep(ms));
  clock.block(3_000);
  await clock.advance(0);
  await Promise.all(sleeps);
  assert.deepEqual([lag.histogram.count, lag.histogram.sum], [1, 2]);
});
