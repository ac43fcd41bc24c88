import assert from "node:assert/strict";

/** What no log line, status, page or terminal may get: control, format and surrogate characters, and line separators. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

/** Clears a screen, rings, forges a log line, ends a C string, turns the direction, and is half of a character. */
export const NASTY =
  'x\x1b[2J\x07\r\n{"level":"info","msg":"forged"}\n\0\x7f\u009b\u202e\u2066\u200f\u2028\u2029\ud800y';

/** A megabyte of it. */
export const HUGE = NASTY.repeat(Math.ceil((1 << 20) / NASTY.length));

/** Asserts that a text is one printable line of a bounded length. */
export function assertPrintable(text: string, max: number, where: string): void {
  const [found] = UNPRINTABLE.exec(text) ?? [];
  if (found !== undefined)
    assert.fail(`${where} has U+${found.codePointAt(0)?.toString(16)}: ${JSON.stringify(text.slice(0, 2_000))}`);
  assert.ok(text.length <= max, `${where} has ${text.length} characters: ${text.slice(0, 200)}`);
}

/** Asserts that each line of a text is printable and bounded. */
export function assertPrintableLines(text: string, max: number, where: string): void {
  for (const line of text.split("\n")) assertPrintable(line, max, where);
}
