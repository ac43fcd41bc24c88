import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { displayWidth, fit, foreignError, foreignText } from "../../../src/lib/display-text.ts";
import { codePoint } from "../../support/code-point.ts";

/** What no terminal, page or status may get from a stranger. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

test("a stranger's text becomes one printable line", () => {
  assert.equal(foreignText("a\x1b[2Jb\r\nc\u009bd\u202ee\0f\u2028g\ud800h\x07", 100), "a?[2Jb c?d?e?f g?h?");
  assert.equal(foreignText("  two\t\t words \n", 100), "two words");
  assert.equal(foreignText("shop/仮想 🐧", 100), "shop/仮想 🐧");
});

test("a stranger's text is cut between two characters and ends with an ellipsis", () => {
  assert.equal(foreignText("abcdef", 6), "abcdef");
  assert.equal(foreignText("abcdefg", 6), "abcde…");
  assert.equal(foreignText("abcd🐧g", 6), "abcd…");
  assert.equal(foreignText("\x1b".repeat(1 << 20), 6), "?????…");
  assert.equal(foreignText(" ".repeat(1 << 20), 6), "…");
});

test("every text becomes printable, fits, and does not change a second time", () => {
  fc.assert(
    fc.property(fc.string({ unit: codePoint, maxLength: 60 }), fc.integer({ min: 1, max: 40 }), (text, max) => {
      const line = foreignText(text, max);
      assert.doesNotMatch(line, UNSAFE);
      assert.ok(line.length <= max);
      assert.equal(foreignText(line, max), line);
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
      const known = foreignText(text, 100);
      assert.ok(displayWidth(fit(known, columns)) <= columns);
    }),
  );
});

test("a text that is cut keeps the remedy at its end", () => {
  const remedy = "(check the target's url)";
  assert.equal(foreignError(`HTTP 404 ${"x".repeat(300)} ${remedy}`, 60), `HTTP 404 ${"x".repeat(25)}… ${remedy}`);
  assert.equal(foreignError(`short ${remedy}`, 60), `short ${remedy}`);
  assert.equal(foreignError("x".repeat(100), 10), `${"x".repeat(9)}…`);
});

test("every text with or without a remedy fits and does not change a second time", () => {
  const text = fc.tuple(
    fc.string({ maxLength: 200 }),
    fc.constantFrom("", " (a remedy)", ` (${"y".repeat(90)})`, ")", " ()"),
  );
  fc.assert(
    fc.property(text, fc.integer({ min: 32, max: 100 }), ([start, end], max) => {
      const line = foreignError(start + end, max);
      assert.ok(line.length <= max, line);
      assert.equal(foreignError(line, max), line);
    }),
  );
});
