import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseRetryAfter } from "../../../src/lib/retry-after.ts";
import { codePoint } from "../../support/code-point.ts";

const NOW = Date.UTC(2026, 0, 1, 12, 0, 0);

test("a Retry-After header is a number of seconds or an HTTP date, and undefined otherwise", () => {
  const cases: [string | undefined, number | undefined][] = [
    ["7", 7_000],
    [" 120 ", 120_000],
    ["0", 0],
    ["601", 600_000],
    ["9".repeat(400), 600_000],
    ["Thu, 01 Jan 2026 12:00:30 GMT", 30_000],
    ["Thu, 01 Jan 2026 11:59:59 GMT", 0],
    ["Thursday, 01-Jan-26 12:00:05 GMT", 5_000],
    ["Fri, 01 Jan 2100 00:00:00 GMT", 600_000],
    [undefined, undefined],
    ["", undefined],
    ["-5", undefined],
    ["1.5", undefined],
    ["2s", undefined],
    ["soon", undefined],
    ["Thu, 99 Foo 2026 12:00:30 GMT", undefined],
    ["2026-01-01T12:00:30Z", undefined],
  ];
  for (const [text, expected] of cases) assert.equal(parseRetryAfter(text, NOW), expected, text);
});

test("for any header the delay is undefined or at most ten minutes", () => {
  const text = fc.oneof(
    fc.string({ unit: codePoint }),
    fc.bigInt().map(String),
    fc.date().map((date) => date.toUTCString()),
    fc.string().map((rest) => `Thu, ${rest}`),
  );
  fc.assert(
    fc.property(fc.option(text, { nil: undefined }), (value) => {
      const ms = parseRetryAfter(value, NOW);
      assert.ok(ms === undefined || (ms >= 0 && ms <= 600_000), `${ms ?? ""}`);
    }),
  );
});
