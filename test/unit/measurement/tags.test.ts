import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseLines } from "../../../scripts/demo/line-protocol-parser.ts";
import { newLineCounters } from "../../../src/measurement/line-protocol.ts";
import { escapeMeasurement, tag } from "../../../src/measurement/tags.ts";
import { codePoint } from "../../support/code-point.ts";

/** Returns the written tag and the number of changes to its value. */
function written(value: string | undefined): [string, number] {
  const counters = newLineCounters();
  return [tag("name", value, counters), counters.sanitizedTags];
}

for (const [what, value, expected] of [
  ["plain text", "web", ",name=web"],
  ["comma, space and equals sign", "a,b c=d", ",name=a\\,b\\ c\\=d"],
  ["quotes", `'a' "b"`, `,name='a'\\ "b"`],
  ["a backslash inside", "a\\b", ",name=a\\b"],
  ["unicode", "é機😀", ",name=é機😀"],
  ["the longest value", "x".repeat(256), `,name=${"x".repeat(256)}`],
] as const) {
  test(`${what} is kept`, () => {
    assert.deepEqual(written(value), [expected, 0]);
  });
}

for (const [what, value, expected] of [
  ["line breaks and tabs become spaces", "a\nb\rc\td", ",name=a\\ b\\ c\\ d"],
  ["other control characters too", "a\0b\u007fc\u0085d", ",name=a\\ b\\ c\\ d"],
  ["backslashes before escaped characters are removed", "a\\ b\\\\,c\\=d", ",name=a\\ b\\,c\\=d"],
  ["a backslash before a line break is removed", "a\\\nb", ",name=a\\ b"],
  ["backslashes at the end are removed", "a\\\\", ",name=a"],
  ["a backslash at the end of a cut value is removed", `${"x".repeat(255)}\\x`, `,name=${"x".repeat(255)}`],
  ["an unpaired surrogate is replaced", "a\ud800b", ",name=a\ufffdb"],
  ["a surrogate pair divided by a cut is replaced", `${"x".repeat(255)}😀`, `,name=${"x".repeat(255)}\ufffd`],
  ["a too long value is cut", "y".repeat(70_000), `,name=${"y".repeat(256)}`],
  ["a value that becomes empty has no tag", "\\", ""],
] as const) {
  test(`${what}, and it is counted`, () => {
    assert.deepEqual(written(value), [expected, 1]);
  });
}

test("an empty or missing value has no tag", () => {
  assert.deepEqual(written(""), ["", 0]);
  assert.deepEqual(written(undefined), ["", 0]);
});

test("in a measurement name, commas and spaces are escaped and equals signs are not", () => {
  assert.equal(escapeMeasurement("kv vm,a=b"), "kv\\ vm\\,a=b");
});

test("a backslash before a space and a quote in the next tag do not join two lines", () => {
  const counters = newLineCounters();
  const line = `m${tag("name", "a\\ b", counters)}${tag("node", '"', counters)} f=1i 1\n`;
  assert.equal(line, 'm,name=a\\ b,node=" f=1i 1\n');
});

test("every value gives a parsable line, and valid values are unchanged", () => {
  const text = fc.oneof(
    fc.string({ unit: codePoint }),
    fc.string({ unit: fc.constantFrom("\\", ",", " ", "=", "\n", "\0", "a", '"', "😀"), maxLength: 300 }),
  );
  fc.assert(
    fc.property(text, (value) => {
      const [line, changed] = written(value);
      const [point] = parseLines(`m,first=1${line},last=1 f=1i 1\n`);
      assert.deepEqual([...(point?.tags.keys() ?? [])], line === "" ? ["first", "last"] : ["first", "name", "last"]);
      if (changed === 0) assert.equal(point?.tags.get("name") ?? "", value);
    }),
    { numRuns: 2_000 },
  );
});

test("a series with the longest tags is shorter than InfluxDB's limit of 64 KiB", () => {
  const counters = newLineCounters();
  // The tags of the contract, and sixteen each from static tags, labels and annotations.
  const tags = Array.from({ length: 9 + 3 * 16 }, (_, index) =>
    tag(`${"k".repeat(62)}${String(index).padStart(2, "0")}`, "機".repeat(1_000), counters),
  );
  assert.equal(parseLines(`${"m".repeat(64)}${tags.join("")} f=1i 1\n`).length, 1);
});
