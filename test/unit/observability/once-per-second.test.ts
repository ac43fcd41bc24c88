import assert from "node:assert/strict";
import { test } from "node:test";
import { oncePerSecond } from "../../../src/observability/once-per-second.ts";
import { FakeClock } from "../../support/fake-clock.ts";

test("a value is made once a second, for all readers", () => {
  const clock = new FakeClock();
  let made = 0;
  const value = oncePerSecond(clock, () => ++made);
  assert.deepEqual([value(), value(), value()], [1, 1, 1]);
  clock.block(999);
  assert.equal(value(), 1);
  clock.block(1);
  assert.deepEqual([value(), value()], [2, 2]);
});

test("an error is shared for a second too", () => {
  const clock = new FakeClock();
  let calls = 0;
  const value = oncePerSecond(clock, () => {
    calls++;
    if (calls === 1) throw new Error("first");
    return calls;
  });
  assert.throws(value, /first/);
  assert.throws(value, /first/);
  clock.block(1_000);
  assert.equal(value(), 2);
});
