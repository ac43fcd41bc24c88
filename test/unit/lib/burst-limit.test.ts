import assert from "node:assert/strict";
import { test } from "node:test";
import { BurstLimit } from "../../../src/lib/burst-limit.ts";
import { FakeClock } from "../../support/fake-clock.ts";

test("a burst is allowed, then one in each period, and a pause makes room for a burst again", async () => {
  const clock = new FakeClock();
  const limit = new BurstLimit({ burst: 3, periodMs: 1_000 }, clock);
  const allowed = (attempts: number): number =>
    Array.from({ length: attempts }, () => limit.allows()).filter((one) => one).length;
  assert.equal(allowed(10), 3);
  await clock.advance(999);
  assert.equal(allowed(10), 0);
  await clock.advance(1);
  assert.equal(allowed(10), 1);
  await clock.advance(2_000);
  assert.equal(allowed(10), 2);
  await clock.advance(60_000);
  assert.equal(allowed(10), 3);
});

test("what happens without a question delays what follows, and a pause gives back the burst and no more", async () => {
  const clock = new FakeClock();
  const limit = new BurstLimit({ burst: 3, periodMs: 1_000 }, clock);
  const start = clock.monotonic();
  for (let count = 0; count < 4; count++) limit.count();
  assert.equal(limit.nextMs, start + 2_000);
  await clock.advance(60_000);
  for (let count = 0; count < 2; count++) limit.count();
  assert.ok(limit.nextMs <= clock.monotonic());
  limit.count();
  assert.equal(limit.nextMs, clock.monotonic() + 1_000);
});
