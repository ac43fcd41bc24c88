import assert from "node:assert/strict";
import { test } from "node:test";
import { CycleStats } from "../../../src/node/cycle-stats.ts";
import { healthAnswer } from "../../../src/observability/agent-routes.ts";
import { FakeClock } from "../../support/fake-clock.ts";

test("cycles are counted with their durations, and incomplete ones separately", () => {
  const stats = new CycleStats(new FakeClock());
  stats.record({ durationMs: 250, complete: true, lines: 3 });
  stats.record({ durationMs: 500, complete: false, lines: 4 });
  const { cycles, incomplete, skippedTicks, durations } = stats.view(7, 5_000);
  assert.deepEqual([cycles, incomplete, skippedTicks, durations.sum], [2, 1, 7, 0.75]);
});

test("two intervals and a minute without progress are a stall", async () => {
  const clock = new FakeClock();
  const stats = new CycleStats(clock);
  const status = (): number | undefined =>
    healthAnswer({ cycles: stats.view(0, 5_000), monotonicMs: clock.monotonic() }).status;
  assert.equal(status(), 200, "before the first");
  stats.recordProgress();
  await clock.advance(70_000);
  assert.equal(status(), 200);
  await clock.advance(1);
  assert.equal(status(), 503);
  stats.recordProgress();
  assert.equal(status(), 200);
});
