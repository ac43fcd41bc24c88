import assert from "node:assert/strict";
import { test } from "node:test";
import { InterruptibleSleep } from "../../../src/lib/interruptible-sleep.ts";
import { FakeClock } from "../../support/fake-clock.ts";

/** Returns an InterruptibleSleep, and a function that starts a sleep and returns whether it is over. */
function setUp(): { clock: FakeClock; sleeper: InterruptibleSleep; sleep: (ms: number) => { over: boolean } } {
  const clock = new FakeClock();
  const sleeper = new InterruptibleSleep(clock);
  const sleep = (ms: number): { over: boolean } => {
    const state = { over: false };
    void sleeper.sleep(ms).then(() => (state.over = true));
    return state;
  };
  return { clock, sleeper, sleep };
}

test("a sleep lasts the given time", async () => {
  const { clock, sleep } = setUp();
  const state = sleep(1_000);
  await clock.advance(999);
  assert.equal(state.over, false);
  await clock.advance(1);
  assert.equal(state.over, true);
});

test("an interrupt ends the sleep and its timer, and does not affect the next sleep", async () => {
  const { clock, sleeper, sleep } = setUp();
  const first = sleep(1_000);
  sleeper.interrupt();
  await clock.advance(0);
  assert.deepEqual([first.over, clock.sleeping], [true, 0]);
  const second = sleep(1_000);
  await clock.advance(999);
  assert.equal(second.over, false);
  await clock.advance(1);
  assert.equal(second.over, true);
});

test("an interrupt without a sleep ends only the next sleep, before it begins", async () => {
  const { clock, sleeper, sleep } = setUp();
  sleeper.interrupt();
  sleeper.interrupt();
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

test("an infinite sleep needs no timer and ends with an interrupt", async () => {
  const { clock, sleeper, sleep } = setUp();
  const state = sleep(Infinity);
  await clock.advance(1e9);
  assert.deepEqual([state.over, clock.sleeping], [false, 0]);
  sleeper.interrupt();
  await clock.advance(0);
  assert.equal(state.over, true);
});
