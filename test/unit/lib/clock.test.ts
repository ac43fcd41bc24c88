import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { systemClock } from "../../../src/lib/clock.ts";
import { Waker } from "../../../src/lib/waker.ts";

test("a sleep that is longer than a timer can be does not end at once", async (t) => {
  const warnings: Error[] = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  process.on("warning", onWarning);
  t.after(() => process.off("warning", onWarning));
  for (const ms of [2 ** 31, Infinity]) {
    const waker = new Waker();
    const slept = systemClock.sleep(ms, waker);
    waker.wake();
    await slept;
  }
  await setImmediate();
  assert.deepEqual(warnings, [], "Node warns of a timer that it fires at once");
});
