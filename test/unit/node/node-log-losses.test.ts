import assert from "node:assert/strict";
import { test } from "node:test";
import { WARNING_PERIOD_MS } from "../../../src/lib/rate-limit.ts";
import { nodeLog } from "../../support/node-log.ts";

const NONE = { cap: 0, age: 0, disk: 0, corrupt: 0 };
const TOO_OLD = "warn queued lines are lost: they were queued for longer than buffer.maxAge";

test("a loss of queued lines is a warning with its reason, and a later one is not forgotten", async () => {
  const { clock, state, entries, logged } = nodeLog();
  state.recordLosses(NONE);
  assert.deepEqual(entries, []);
  state.recordLosses({ ...NONE, age: 7 });
  state.recordLosses({ ...NONE, age: 7 });
  assert.deepEqual([entries[0]?.["lines"], entries[0]?.["reason"]], [7, "age"]);
  assert.deepEqual(logged(), [TOO_OLD]);
  state.recordLosses({ ...NONE, age: 9, disk: 1 });
  assert.deepEqual(logged(), [
    "warn queued lines are lost: the disk of the spool is too full or fails, or its files were deleted or taken over by another agent",
  ]);
  await clock.advance(WARNING_PERIOD_MS);
  state.recordLosses({ ...NONE, age: 9, disk: 1 });
  assert.equal(entries[0]?.["lines"], 2);
  assert.deepEqual(logged(), [TOO_OLD]);
});

test("at the end of an agent no warning of a loss is held back", () => {
  const { log, logged } = nodeLog();
  log.losses.dropped({ ...NONE, age: 7 });
  log.losses.dropped({ ...NONE, age: 8 }, true);
  assert.deepEqual(logged(), [TOO_OLD, TOO_OLD]);
});

test("each jump of the wall clock by more than a minute is logged once, with its length", async () => {
  const { clock, state, entries, logged } = nodeLog("warn");
  const ticks = async (...stepsMs: readonly number[]): Promise<string[]> => {
    for (const stepMs of stepsMs) {
      clock.step(stepMs);
      await clock.advance(5_000);
      state.recordTick({ skippedTicks: 0, droppedLines: 0 });
    }
    return logged();
  };
  assert.deepEqual(await ticks(0, 60_000, -60_000, 59_000, 59_000, 59_000, 0), []);
  assert.deepEqual(await ticks(2 * 86_400_000, 0, 0, -61_000), [
    "warn the wall clock jumped 48h forward: new lines have the new time",
    "warn the wall clock jumped 1m1s back: new lines have the new time",
  ]);
  clock.step(-3_600_000);
  state.recordTick({ skippedTicks: 0, droppedLines: 0 });
  assert.equal(entries[0]?.["jumpMs"], -3_600_000);
});
