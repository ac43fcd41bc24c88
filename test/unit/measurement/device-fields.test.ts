import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { sumOf } from "../../../src/measurement/device-fields.ts";

const FIELD = { counter: "rxBytes", key: "", total: "" } as const;

/** Counters around the largest integer that a number holds exactly, and around that of libvirt. */
const COUNTER = fc.oneof(
  fc.bigInt(0n, 100n),
  fc.bigInt(2n ** 53n - 10n, 2n ** 53n + 10n),
  fc.bigInt(2n ** 63n - 10n, 2n ** 64n - 1n),
  fc.bigInt(-(2n ** 63n), -(2n ** 63n) + 10n),
);

function sum(values: readonly (bigint | undefined)[]): bigint | undefined {
  const total = sumOf(
    values.map((rxBytes) => ({ rxBytes })),
    FIELD,
  );
  return total === undefined ? undefined : BigInt(total);
}

test("the sum of a counter is exact, also beyond 2^53", () => {
  fc.assert(
    fc.property(fc.array(COUNTER, { minLength: 1 }), (values) => {
      assert.equal(
        sum(values),
        values.reduce((total, value) => total + value, 0n),
      );
    }),
  );
});

test("the sum is 0 without devices, and unknown if no device has the counter", () => {
  assert.equal(sum([]), 0n);
  assert.equal(sum([undefined, undefined]), undefined);
  assert.equal(sum([undefined, 7n]), 7n);
});
