import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { BatchLimit } from "../../../src/delivery/batch-limit.ts";

test("the limit starts at its maximum, and a request that was too large halves it", () => {
  const limit = new BatchLimit(5_000);
  assert.equal(limit.lines, 5_000);
  limit.shrinkBelow(5_000);
  assert.equal(limit.lines, 2_500);
  // This request was smaller than the limit allows.
  limit.shrinkBelow(300);
  assert.equal(limit.lines, 150);
});

test("an answer to a request under an older limit does not raise the limit", () => {
  const limit = new BatchLimit(5_000);
  limit.shrinkBelow(100);
  limit.shrinkBelow(5_000);
  assert.equal(limit.lines, 50);
});

test("success raises the limit by an eighth, at least one line, up to its maximum", () => {
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

test("the limit is always between one line and its maximum", () => {
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

test("about a hundred successes raise the limit from one line to its maximum", () => {
  const limit = new BatchLimit(100_000);
  limit.shrinkBelow(1);
  for (let success = 0; success < 100; success++) limit.grow();
  assert.equal(limit.lines, 100_000);
});

test("a new maximum applies at once", () => {
  const limit = new BatchLimit(100);
  limit.shrinkBelow(10);
  limit.reset(700);
  assert.equal(limit.lines, 700);
});
