import assert from "node:assert/strict";
import { test } from "node:test";
import { InterruptibleSleep } from "../../../src/lib/interruptible-sleep.ts";
import { FakeClock } from "../../support/fake-clock.ts";

/** An alarm, and what became of the sleeps that were begun with it. */
function setUp(): { clock: FakeClock; alarm: InterruptibleSleep; sleep: (ms: number) => { over: boolean } } {
  const clock = new FakeClock();
  const alarm = new InterruptibleSleep(clock);
  const sleep = (ms: number): { over: boolean } => {
    const state = { over: false };
    void alarm.sleep(ms).then(() => (state.over = true));
    return state;
  };
  return { clock, alarm, sleep };
}

test("a sleep lasts as long as told", async () => {
  const { clock, sleep } = setUp();
  const state = sleep(1_000);
  await clock.advance(999);
  assert.equal(state.over, false);
  await clock.advance(1);
  assert.equal(state.over, true);
});

test("a ring ends the sleep, and leaves no timer and the next sleep alone", async () => {
  const { clock, alarm, sleep } = setUp();
  const first = sleep(1_000);
  alarm.interrupt();
  await clock.advance(0);
  assert.deepEqual([first.over, clock.sleeping], [true, 0]);
  const second = sleep(1_000);
  await clock.advance(999);
  assert.equal(second.over, false);
  await clock.advance(1);
  assert.equal(second.over, true);
});

test("a ring while nobody sleeps ends the next sleep before it begins, and only that", async () => {
  const { clock, alarm, sleep } = setUp();
  alarm.interrupt();
  alarm.interrupt();
  const none = sleep(0);
  const past = sleep(-5);
  await clock.advance(0);
  assert.deepEqual([none.over, past.over], [true, true]);
  const skipped = sleep(1_000);
  await clock.advance(0);
  assert.deepEqual([skipped.over, clock.sleeping], [true, 0]);
  const whole = sleep(1_000);
  await clock.advance(999);
  assert.equal(whole.over, false);
  await clock.advance(1);
  assert.equal(whole.over, true);
});

test("a sleep without end ends when it rings, and needs no timer", async () => {
  const { clock, alarm, sleep } = setUp();
  const state = sleep(Infinity);
  await clock.advance(1e9);
  assert.deepEqual([state.over, clock.sleeping], [false, 0]);
  alarm.interrupt();
  await clock.advance(0);
  assert.equal(state.over, true);
});
