import assert from "node:assert/strict";
import { test } from "node:test";
import { Waker } from "../../../src/lib/waker.ts";
import { FakeClock } from "../../support/fake-clock.ts";

test("a waker ends a sleep, and later sleeps end at once", async () => {
  const clock = new FakeClock();
  const waker = new Waker();
  const sleeping = clock.sleep(1_000, waker);
  assert.deepEqual([waker.aborted, clock.sleeping], [false, 1]);
  waker.wake();
  await sleeping;
  await clock.sleep(1_000, waker);
  assert.deepEqual([waker.aborted, clock.sleeping], [true, 0]);
});

test("a listener that was removed is not called", () => {
  const waker = new Waker();
  let calls = 0;
  const listener = (): void => {
    calls++;
  };
  waker.addEventListener("abort", listener);
  waker.removeEventListener("abort", listener);
  waker.wake();
  assert.equal(calls, 0);
});

test("a sleep on the system's clock leaves no listener when its time is over", async () => {
  const { systemClock } = await import("../../../src/lib/clock.ts");
  const waker = new Waker();
  let listeners = 0;
  const counted = {
    aborted: false,
    addEventListener: (type: "abort", listener: () => void) => {
      listeners++;
      waker.addEventListener(type, listener);
    },
    removeEventListener: (type: "abort", listener: () => void) => {
      listeners--;
      waker.removeEventListener(type, listener);
    },
  };
  await systemClock.sleep(1, counted);
  assert.equal(listeners, 0);
});
