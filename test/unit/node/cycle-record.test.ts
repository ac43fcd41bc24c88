import assert from "node:assert/strict";
import { test } from "node:test";
import { CycleRecord } from "../../../src/node/cycle-record.ts";
import { healthAnswer } from "../../../src/observability/agent-routes.ts";
import { FakeClock } from "../../support/fake-clock.ts";

test("cycles are counted with their durations, and what is wrong with them", () => {
  const record = new CycleRecord(new FakeClock());
  record.done(250, true);
  record.done(500, false);
  const { cycles, incomplete, skippedTicks, durations } = record.view(7, 5_000);
  assert.deepEqual([cycles, incomplete, skippedTicks, durations.sum], [2, 1, 7, 0.75]);
});

test("two intervals and a minute without progress are a standstill", async () => {
  const clock = new FakeClock();
  const record = new CycleRecord(clock);
  const status = (): number | undefined =>
    healthAnswer({ cycles: record.view(0, 5_000), monotonicMs: clock.monotonic() }).status;
  assert.equal(status(), 200, "before the first");
  record.progress();
  await clock.advance(70_000);
  assert.equal(status(), 200);
  await clock.advance(1);
  assert.equal(status(), 503);
  record.progress();
  assert.equal(status(), 200);
});
