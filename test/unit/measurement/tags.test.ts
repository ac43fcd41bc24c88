import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseLines } from "../../../scripts/demo/line-protocol-parser.ts";
import { newLineCounters } from "../../../src/measurement/line-protocol.ts";
import { escapeMeasurement, tag } from "../../../src/measurement/tags.ts";
import { codePoint } from "../../support/code-point.ts";

/** What a tag is written as, and how often it was changed for that. */
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
  ["as many characters as there may be", "x".repeat(256), `,name=${"x".repeat(256)}`],
] as const) {
  test(`${what} is kept`, () => {
    assert.deepEqual(written(value), [expected, 0]);
  });
}

for (const [what, value, expected] of [
  ["line breaks and tabs become spaces", "a\nb\rc\td", ",name=a\\ b\\ c\\ d"],
  ["other control characters too", "a\0b\u007fc\u0085d", ",name=a\\ b\\ c\\ d"],
  ["backslashes before what is escaped go", "a\\ b\\\\,c\\=d", ",name=a\\ b\\,c\\=d"],
  ["a backslash before a line break goes", "a\\\nb", ",name=a\\ b"],
  ["backslashes at the end go", "a\\\\", ",name=a"],
  ["a backslash that a cut leaves at the end goes", `${"x".repeat(255)}\\x`, `,name=${"x".repeat(255)}`],
  ["half of a pair of surrogates is replaced", "a\ud800b", ",name=a\ufffdb"],
  ["a pair that a cut parts is replaced", `${"x".repeat(255)}😀`, `,name=${"x".repeat(255)}\ufffd`],
  ["what is too long is cut", "y".repeat(70_000), `,name=${"y".repeat(256)}`],
  ["what is nothing then is no tag", "\\", ""],
] as const) {
  test(`${what}, and it is counted`, () => {
    assert.deepEqual(written(value), [expected, 1]);
  });
}

test("an empty value is no tag, and none is none", () => {
  assert.deepEqual(written(""), ["", 0]);
  assert.deepEqual(written(undefined), ["", 0]);
});

test("in a measurement's name commas and spaces are escaped, and an equals sign is literal", () => {
  assert.equal(escapeMeasurement("kv vm,a=b"), "kv\\ vm\\,a=b");
});

test("a backslash before a space in one tag and a quote in the next cannot make two lines one", () => {
  const counters = newLineCounters();
  const line = `m${tag("name", "a\\ b", counters)}${tag("node", '"', counters)} f=1i 1\n`;
  assert.equal(line, 'm,name=a\\ b,node=" f=1i 1\n');
});

test("whatever the value, the line can be parsed, and what can be stored comes back as it was", () => {
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

test("a series of the longest tags that there can be stays below the 64 KiB that InfluxDB takes", () => {
  const counters = newLineCounters();
  // Those of the contract, sixteen static ones, and sixteen each of a VMI's labels and annotations.
  const tags = Array.from({ length: 9 + 3 * 16 }, (_, index) =>
    tag(`${"k".repeat(62)}${String(index).padStart(2, "0")}`, "機".repeat(1_000), counters),
  );
  assert.equal(parseLines(`${"m".repeat(64)}${tags.join("")} f=1i 1\n`).length, 1);
});
