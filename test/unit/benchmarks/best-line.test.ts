import assert from "node:assert/strict";
import { test } from "node:test";
import { bestLine } from "../../../benchmarks/best-line.ts";

test("the line through points on a line is that line", () => {
  const line = bestLine([0, 1, 2, 5].map((x) => [x, 3 * x + 1] as const));
  assert.deepEqual([line.slope, line.at(0), line.at(10)], [3, 1, 31]);
});

test("points that are above and below in turns do not tilt the line", () => {
  const line = bestLine([
    [0, 1],
    [1, -1],
    [2, -1],
    [3, 1],
  ]);
  assert.deepEqual([line.slope, line.at(7)], [0, 0]);
});
