import assert from "node:assert/strict";
import { test } from "node:test";
import { parseQuantity } from "../../../src/lib/kube-quantity.ts";

test("a quantity is its number, with the suffixes of Kubernetes", () => {
  for (const [text, number] of [
    ["0", 0],
    ["2", 2],
    ["1.5", 1.5],
    [".5", 0.5],
    ["500m", 0.5],
    ["100u", 1e-4],
    ["1k", 1_000],
    ["2Gi", 2 ** 31],
    ["1.5Gi", 1.5 * 2 ** 30],
    ["128M", 128e6],
    ["1e3", 1_000],
    ["1E3", 1_000],
    ["1E", 1e18],
    [4, 4],
  ] as const)
    assert.equal(parseQuantity(text), number, String(text));
});

test("what is not a quantity has no number", () => {
  for (const value of ["", "m", "-1", "1 Gi", "1gi", "1Zi", "1e999", "0x10", "1".repeat(50), {}, null, undefined, true])
    assert.equal(parseQuantity(value), undefined, JSON.stringify(value));
});
