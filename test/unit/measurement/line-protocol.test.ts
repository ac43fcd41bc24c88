import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseLines } from "../../../scripts/demo/line-protocol-parser.ts";
import { LineWriter, newLineCounters } from "../../../src/measurement/line-protocol.ts";
import { PlainLineWriter } from "../../support/plain-line-writer.ts";

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

const key = fc.stringMatching(/^[a-z_][a-z0-9_]{0,12}$/);
const powers = fc.integer({ min: 0, max: 64 }).map((bits) => 2n ** BigInt(bits));
const nearby = fc.bigInt({ min: -3n, max: 3n });
const integer = fc.oneof(
  fc.bigInt({ min: -(2n ** 65n), max: 2n ** 65n }),
  fc.tuple(powers, nearby).map(([power, more]) => power + more),
  fc.tuple(fc.integer({ min: 0, max: 19 }), nearby).map(([digits, more]) => 10n ** BigInt(digits) + more),
  fc.tuple(fc.integer({ min: 0, max: 90_071_992 }), nearby).map(([high, more]) => BigInt(high) * 100_000_000n + more),
  fc.double(),
  fc.maxSafeInteger(),
);
const field = fc.oneof(
  fc.record({ kind: fc.constant("integer" as const), key, value: integer }),
  fc.record({ kind: fc.constant("float" as const), key, value: fc.double() }),
  fc.record({ kind: fc.constant("string" as const), key, value: fc.string({ unit: "grapheme", maxLength: 300 }) }),
);
type Field = typeof field extends fc.Arbitrary<infer Value> ? Value : never;

function write(lines: Pick<LineWriter, "integer" | "float" | "string">, { kind, key, value }: Field): void {
  if (kind === "integer") lines.integer(key, value);
  else if (kind === "float") lines.float(key, value);
  else lines.string(key, value);
}

test("the bytes are those of the plain writer, whatever the fields and their order", () => {
  const line = fc.record({
    series: fc.string({ unit: "grapheme", minLength: 1, maxLength: 200 }),
    fields: fc.array(field, { maxLength: 12 }),
    timestampMs: fc.integer({ min: 0, max: 2 ** 43 }),
    ends: fc.boolean(),
  });
  const counters = { fast: newLineCounters(), plain: newLineCounters() };
  // One writer for all runs, so that it also continues after a batch and grows.
  const [fast, plain] = [new LineWriter(counters.fast), new PlainLineWriter(counters.plain)];
  fc.assert(
    fc.property(fc.array(line, { maxLength: 20 }), (all) => {
      for (const lines of [fast, plain])
        for (const { series, fields, timestampMs, ends } of all) {
          lines.begin(series);
          for (const one of fields) write(lines, one);
          // A line that a quota does not admit has no end.
          if (ends) lines.end(timestampMs);
        }
      const [ours, expected] = [fast.take(), plain.take()];
      assert.equal(Buffer.from(ours.bytes).toString(), Buffer.from(expected.bytes).toString());
      assert.equal(ours.lines, expected.lines);
      assert.deepEqual(counters.fast, counters.plain);
    }),
    { numRuns: 300 },
  );
});

test("each integer near a power of ten or two has all its digits", () => {
  const { line } = writer();
  const values = Array.from({ length: 54 }, (_, bits) => 2 ** bits).concat(
    Array.from({ length: 16 }, (_, d) => 10 ** d),
  );
  for (const value of values.flatMap((power) => [power - 1, power, power + 1]).filter(Number.isSafeInteger))
    for (const signed of [value, -value])
      assert.equal(
        line((lines) => {
          lines.integer("i", signed);
        }),
        `m,a=1 i=${signed}i ${TIME_MS}000000\n`,
      );
});
