import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BatchLimit } from "../../../src/delivery/batch-limit.ts";

test("it begins at the most, and a request that was too large halves it", () => {
  const limit = new BatchLimit(5_000);
  assert.equal(limit.lines, 5_000);
  limit.shrinkBelow(5_000);
  assert.equal(limit.lines, 2_500);
  // A smaller request than the limit allows was too large already.
  limit.shrinkBelow(300);
  assert.equal(limit.lines, 150);
});

test("an answer to a request that was sent under an older limit does not raise it", () => {
  const limit = new BatchLimit(5_000);
  limit.shrinkBelow(100);
  limit.shrinkBelow(5_000);
  assert.equal(limit.lines, 50);
});

test("success lets it grow by an eighth, by one line at least, up to the most", () => {
  const limit = new BatchLimit(1_000);
  limit.shrinkBelow(1_600);
  limit.grow();
  assert.equal(limit.lines, 900);
  limit.grow();
  assert.equal(limit.lines, 1_000);
  limit.shrinkBelow(4);
  limit.grow();
  assert.equal(limit.lines, 3);
});

test("one line can always be sent, and never more than the most", () => {
  const change = fc.oneof(fc.constant("grow" as const), fc.integer({ min: 1, max: 2_000 }));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 1_000 }), fc.array(change), (most, changes) => {
      const limit = new BatchLimit(most);
      for (const each of changes) {
        if (each === "grow") limit.grow();
        else limit.shrinkBelow(each);
        assert.ok(Number.isInteger(limit.lines) && limit.lines >= 1 && limit.lines <= most);
      }
    }),
  );
});

test("from one line it is back at the most after some hundred successes", () => {
  const limit = new BatchLimit(100_000);
  limit.shrinkBelow(1);
  for (let success = 0; success < 100; success++) limit.grow();
  assert.equal(limit.lines, 100_000);
});

test("a new most holds at once", () => {
  const limit = new BatchLimit(100);
  limit.shrinkBelow(10);
  limit.reset(700);
  assert.equal(limit.lines, 700);
});
