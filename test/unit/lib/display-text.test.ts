import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { displayWidth, fit, printable } from "../../../src/lib/display-text.ts";
import { codePoint } from "../../support/code-point.ts";

test("a printable text has no control characters", () => {
  assert.equal(printable("a\x1b[2Jb\r\nc\u009bd\u202ee"), "a?[2Jb??c?d?e");
  fc.assert(
    fc.property(fc.string({ unit: codePoint }), (text) => {
      assert.doesNotMatch(printable(text), /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/);
    }),
  );
});

test("East Asian characters take two columns, combining marks take no column", () => {
  assert.equal(displayWidth("web-1"), 5);
  assert.equal(displayWidth("仮想"), 4);
  assert.equal(displayWidth("e\u0301"), 1);
});

test("a text that is too long is cut and ends with an ellipsis", () => {
  assert.equal(fit("shop/web-1", 10), "shop/web-1");
  assert.equal(fit("shop/web-1", 7), "shop/w…");
  assert.equal(fit("仮想仮想", 4), "仮…");
  assert.equal(fit("abc", 0), "");
});

test("a fitted text is never wider than the limit", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.nat(40), (text, columns) => {
      const known = printable(text);
      assert.ok(displayWidth(fit(known, columns)) <= columns);
    }),
  );
});
