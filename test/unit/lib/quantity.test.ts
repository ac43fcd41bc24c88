import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { formatBytes, formatSpan } from "../../../src/lib/quantity.ts";

const BYTES: readonly (readonly [number, string])[] = [
  [0, "0 B"],
  [999.4, "999 B"],
  [1023, "1023 B"],
  [1024, "1.0 KiB"],
  [1536, "1.5 KiB"],
  [99.94 * 1024, "99.9 KiB"],
  [99.96 * 1024, "100 KiB"],
  [1023.6 * 1024, "1.0 MiB"],
  [312 * 2 ** 20, "312 MiB"],
  [2 ** 63, "8192 PiB"],
];

for (const [bytes, text] of BYTES) {
  test(`${bytes} bytes are ${text}`, () => {
    assert.equal(formatBytes(bytes), text);
  });
}

test("a number of bytes below an exabyte takes at most eight characters", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 2 ** 60 - 2 ** 50, noNaN: true }), (bytes) => {
      assert.ok(formatBytes(bytes).length <= 8);
    }),
  );
});

const SPANS: readonly (readonly [number, string])[] = [
  [-5, "0s"],
  [999, "0s"],
  [45_000, "45s"],
  [60_000, "1m"],
  [185_000, "3m 5s"],
  [7_200_000, "2h"],
  [7_805_000, "2h 10m"],
  [4 * 86_400_000 + 3 * 3_600_000 + 59_000, "4d 3h"],
  [86_400_000 + 5 * 60_000, "1d"],
];

for (const [ms, text] of SPANS) {
  test(`${ms} ms are ${text}`, () => {
    assert.equal(formatSpan(ms), text);
  });
}
