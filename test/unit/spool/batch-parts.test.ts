import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { splitBatch } from "../../../src/spool/batch-parts.ts";
import { batchFrom, batchOf } from "../../support/delivery.ts";

const line = fc.string({ unit: "grapheme", maxLength: 40 }).map((text) => text.replaceAll("\n", " "));

test("the parts of a batch have its bytes and lines, and each is whole lines within the limits", () => {
  const limits = fc.record({ maxLines: fc.integer({ min: 1, max: 8 }), maxBytes: fc.integer({ min: 1, max: 100 }) });
  fc.assert(
    fc.property(fc.array(line, { maxLength: 40 }), limits, (lines, { maxLines, maxBytes }) => {
      const batch = batchFrom(lines);
      const parts = splitBatch(batch, { maxLines, maxBytes });
      assert.deepEqual(Buffer.concat(parts.map(({ bytes }) => bytes)), batch.bytes);
      for (const part of parts) {
        const text = Buffer.from(part.bytes).toString();
        assert.equal(text.split("\n").length - 1, part.lines);
        assert.ok(text === "" || text.endsWith("\n"));
        assert.ok(part.lines <= maxLines);
        assert.ok(part.bytes.length <= maxBytes || part.lines === 1);
      }
      assert.equal(
        parts.reduce((sum, part) => sum + part.lines, 0),
        lines.length,
      );
    }),
  );
});

test("each part is as large as the limits allow", () => {
  const ten = batchFrom(Array.from({ length: 10 }, () => "123456789"));
  const sizes = (limits: Parameters<typeof splitBatch>[1]): number[] =>
    splitBatch(ten, limits).map(({ lines }) => lines);
  assert.deepEqual(sizes({ maxLines: 4, maxBytes: 1_000 }), [4, 4, 2]);
  assert.deepEqual(sizes({ maxLines: 100, maxBytes: 30 }), [3, 3, 3, 1]);
  assert.deepEqual(sizes({ maxLines: 100, maxBytes: 5 }), Array<number>(10).fill(1));
});

test("a last line without a newline is not lost", () => {
  const parts = splitBatch({ lines: 2, bytes: Buffer.from("one\ntwo") }, { maxLines: 1, maxBytes: 100 });
  assert.deepEqual(
    parts.map(({ bytes }) => Buffer.from(bytes).toString()),
    ["one\n", "two"],
  );
});

test("a batch within the limits of a frame is not split", () => {
  const batch = batchOf(1_000);
  assert.deepEqual(splitBatch(batch), [batch]);
  assert.deepEqual(
    splitBatch(batchOf(1_001)).map(({ lines }) => lines),
    [1_000, 1],
  );
});
