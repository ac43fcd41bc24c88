import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseLines } from "../../../scripts/demo/line-protocol-parser.ts";
import { LineWriter, newLineCounters } from "../../../src/measurement/line-protocol.ts";

const INT64_MAX = 2n ** 63n - 1n;
const TIME_MS = 1_700_000_000_123;

function writer() {
  const counters = newLineCounters();
  const lines = new LineWriter(counters);
  const taken = (): string => Buffer.from(lines.take().bytes).toString();
  /** Returns the line with these fields; an empty string without fields. */
  const line = (write: (lines: LineWriter) => void): string => {
    lines.begin("m,a=1");
    write(lines);
    lines.end(TIME_MS);
    return taken();
  };
  return { lines, counters, line, taken };
}

test("fields are in the order of their calls, and the timestamp is in nanoseconds", () => {
  const { line } = writer();
  const text = line((lines) => {
    lines.integer("i", 1n);
    lines.float("f", 0.5);
    lines.string("s", "x");
    lines.integer("n", 7);
  });
  assert.equal(text, 'm,a=1 i=1i,f=0.5,s="x",n=7i 1700000000123000000\n');
});

test("a line without fields is neither written nor counted", () => {
  const { lines, line } = writer();
  assert.equal(
    line(() => undefined),
    "",
  );
  assert.equal(lines.position.lines, 0);
  assert.match(
    line((next) => {
      next.integer("i", 1n);
    }),
    /^m,a=1 i=1i /,
  );
});

for (const [value, text, clamped] of [
  [0n, "0i", 0],
  [2n ** 53n + 1n, "9007199254740993i", 0],
  [INT64_MAX, "9223372036854775807i", 0],
  [2n ** 63n, "9223372036854775807i", 1],
  [2n ** 64n - 1n, "9223372036854775807i", 1],
  [-(2n ** 63n), "-9223372036854775808i", 0],
  [-(2n ** 63n) - 1n, "-9223372036854775808i", 1],
  [4_294_967_295, "4294967295i", 0],
] as const) {
  test(`the integer ${value} is written as ${text}`, () => {
    const { counters, line } = writer();
    assert.ok(
      line((lines) => {
        lines.integer("i", value);
      }).includes(` i=${text} `),
    );
    assert.equal(counters.clampedIntegers, clamped);
  });
}

for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
  test(`${value} is left out and counted`, () => {
    const { counters, line } = writer();
    assert.equal(
      line((lines) => {
        lines.float("f", value);
      }),
      "",
    );
    assert.equal(counters.omittedFloats, 1);
  });
}

test("later lines do not change a taken batch", () => {
  const { lines, taken } = writer();
  const write = (series: string): void => {
    lines.begin(series);
    lines.integer("i", 1);
    lines.end(1);
  };
  write("first");
  const batch = lines.take();
  write("other");
  assert.deepEqual([batch.lines, Buffer.from(batch.bytes).toString()], [1, "first i=1i 1000000\n"]);
  assert.equal(taken(), "other i=1i 1000000\n");
  assert.deepEqual([lines.position.lines, lines.take().bytes.length], [0, 0]);
});

test("the buffer grows for long texts in every script", () => {
  const { lines } = writer();
  const texts = Array.from({ length: 300 }, (_, index) => "機😀é".repeat(index));
  for (const text of texts) {
    lines.begin("m");
    lines.string("s", text);
    lines.end(1);
  }
  assert.equal(lines.position.lines, 300);
  const points = parseLines(Buffer.from(lines.take().bytes).toString());
  assert.deepEqual(
    points.map(({ fields }) => fields.get("s")),
    texts,
  );
});

test("all numbers and strings are parsed back unchanged", () => {
  const string = fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\n"));
  const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: INT64_MAX }), finite, string, (integer, float, text) => {
      const { line } = writer();
      const [point] = parseLines(
        line((lines) => {
          lines.integer("i", integer);
          lines.float("f", float);
          lines.string("s", text);
        }),
      );
      assert.equal(point?.fields.get("i"), integer);
      assert.equal(point.fields.get("f"), float + 0);
      assert.equal(point.fields.get("s"), text);
      assert.equal(point.timestamp, BigInt(TIME_MS) * 1_000_000n);
    }),
  );
});
