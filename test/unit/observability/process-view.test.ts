import assert from "node:assert/strict";
import { test } from "node:test";
import { EventLoopLag } from "../../../src/observability/process-view.ts";
import { FakeClock } from "../../support/fake-clock.ts";

test("the lag histogram counts late timers with their delay until it is aborted", async () => {
  const clock = new FakeClock();
  const lag = new EventLoopLag();
  const stop = new AbortController();
  const watching = lag.watch(clock, stop.signal);
  await clock.advance(2_000);
  assert.deepEqual([lag.histogram.count, lag.histogram.sum], [2, 0]);
  clock.block(2_800);
  await clock.advance(0);
  assert.deepEqual([lag.histogram.count, lag.histogram.sum], [3, 1.8]);
  stop.abort();
  await watching;
  assert.equal(lag.histogram.count, 3);
});
