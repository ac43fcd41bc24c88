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

test("a secret that begins like another one leaves no end of it", () => {
  assert.equal(redactor(["pass", "password", "pass"])("password, pass"), "[redacted], [redacted]");
});

test("a secret is redacted in JSON too", () => {
  const password = 'a"b\\c<d>&\u0001e';
  const redact = redactor([password]);
  const escapedByGo = JSON.stringify({ error: password })
    .replace("<", "\\u003c")
    .replace(">", "\\u003e")
    .replace("&", "\\u0026");
  for (const text of [JSON.stringify({ error: password }), escapedByGo])
    assert.equal(redact(text), '{"error":"[redacted]"}');
});
