import assert from "node:assert/strict";
import { test } from "node:test";
import { number } from "../../../src/observability/page-values.ts";

test("a number has a comma after each thousand", () => {
  for (const value of [0, 12, 999, 1_000, 12_345, 1_488_000, -1_234_567, 2 ** 53])
    assert.equal(number(value), value.toLocaleString("en"));
});
