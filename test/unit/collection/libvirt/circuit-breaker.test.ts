import assert from "node:assert/strict";
import { test } from "node:test";
import { CircuitBreaker } from "../../../../src/collection/libvirt/circuit-breaker.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

test("the first failures are retried at the next tick, then the wait grows to a minute; a success resets it", async () => {
  const clock = new FakeClock();
  const breaker = new CircuitBreaker(clock, () => 0.999);
  for (let failure = 0; failure < 3; failure++) {
    breaker.failed();
    assert.ok(breaker.allows);
  }
  breaker.failed();
  assert.ok(!breaker.allows);
  await clock.advance(5_000);
  assert.ok(breaker.allows);
  for (let failure = 0; failure < 20; failure++) breaker.failed();
  await clock.advance(59_000);
  assert.ok(!breaker.allows);
  await clock.advance(1_000);
  assert.ok(breaker.allows);
  breaker.failed();
  breaker.succeeded();
  assert.ok(breaker.allows);
});

test("a launcher over its budget is left alone for 1, 2 and then 5 minutes; a success resets it", async () => {
  const clock = new FakeClock();
  const breaker = new CircuitBreaker(clock);
  for (const minutes of [1, 2, 5, 5]) {
    breaker.rejected();
    await clock.advance(minutes * 60_000 - 1);
    assert.ok(!breaker.allows);
    await clock.advance(1);
    assert.ok(breaker.allows);
  }
  breaker.succeeded();
  breaker.rejected();
  await clock.advance(60_000);
  assert.ok(breaker.allows);
});
