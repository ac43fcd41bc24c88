import assert from "node:assert/strict";
import { test } from "node:test";
import { within } from "../../../src/lib/within.ts";
import { FakeClock } from "../../support/fake-clock.ts";

test("a result in time is returned, a late one is not, and no timer is left", async () => {
  const clock = new FakeClock();
  assert.equal(await within(Promise.resolve(1), 1_000, clock), 1);
  await assert.rejects(within(Promise.reject(new Error("failed")), 1_000, clock), /failed/);
  assert.equal(clock.sleeping, 0);
  const late = Promise.withResolvers<number>();
  const waited = within(late.promise, 1_000, clock);
  await clock.advance(1_000);
  assert.equal(await waited, undefined);
  late.reject(new Error("a late failure is no unhandled rejection"));
  await clock.advance(0);
});
