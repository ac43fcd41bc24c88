import assert from "node:assert/strict";
import { test } from "node:test";
import { Histogram } from "../../../src/lib/histogram.ts";

test("a value counts in the first bucket whose bound is not smaller", () => {
  const histogram = new Histogram([1, 2, 5]);
  for (const value of [0, 1, 1.5, 5, 5.1, 100]) histogram.observe(value);
  assert.deepEqual(histogram.cumulative, [2, 3, 4]);
  assert.deepEqual([histogram.count, histogram.sum], [6, 112.6]);
});

test("a histogram without values is all zeros", () => {
  const histogram = new Histogram([1]);
  assert.deepEqual([histogram.cumulative, histogram.count, histogram.sum], [[0], 0, 0]);
});
