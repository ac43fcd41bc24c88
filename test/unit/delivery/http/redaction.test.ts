import assert from "node:assert/strict";
import { test } from "node:test";
import { redactor } from "../../../../src/delivery/http/redaction.ts";

test("every occurrence of a secret is redacted", () => {
  const redact = redactor(["t0ken", "a:b c"]);
  assert.equal(redact("t0ken is not a:b c, t0ken"), "[redacted] is not [redacted], [redacted]");
});

test("a secret shorter than four characters is not redacted", () => {
  assert.equal(redactor(["abc", ""])("abcd"), "abcd");
});
