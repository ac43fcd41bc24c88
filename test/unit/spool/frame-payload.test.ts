import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { compressLines, expandFrame, joinFrames, splitBatch } from "../../../src/spool/frame-payload.ts";
import type { Frame } from "../../../src/spool/spool.ts";
import { batchFrom, batchOf } from "../../support/delivery.ts";
import { readFirstMember } from "../../support/gzip-member.ts";

async function frameOf(bytes: Uint8Array, change: Partial<Frame> = {}): Promise<Frame> {
  const payload = await compressLines(bytes);
  return { sequence: 0n, lines: 1, rawBytes: bytes.length, createdAtMs: 0, payload, ...change };
}

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

test("an expanded frame equals the compressed lines", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 2_000 }), async (bytes) => {
      assert.deepEqual(Buffer.from(await expandFrame(await frameOf(bytes))), Buffer.from(bytes));
    }),
  );
});

for (const counts of [[3], [3, 2], [1_000, 1_000, 1_000, 7]]) {
  test(`${counts.length} frame(s) become one gzip member with the CRC and length of all lines`, async () => {
    let first = 0;
    const batches = counts.map((count) => batchOf(count, (first += count) - count));
    const frames = await Promise.all(batches.map(({ bytes }) => frameOf(bytes)));
    const body = Buffer.from(await joinFrames(frames));
    const expected = batchOf(first).bytes;
    // Magic, deflate, no flags, no time, fastest; the tenth byte is the operating system.
    assert.deepEqual([...body.subarray(0, 9)], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4]);
    assert.equal(body.readUInt32LE(body.length - 8), crc32(expected));
    assert.equal(body.readUInt32LE(body.length - 4), expected.length);
    const { contents, behind } = readFirstMember(body);
    assert.deepEqual([contents, behind], [expected, 0]);
  });
}

test("a single frame is sent as it is stored", async () => {
  const frame = await frameOf(batchOf(10).bytes);
  assert.equal(await joinFrames([frame]), frame.payload);
});

test("a single frame of several members, or with another header, is compressed again", async () => {
  const whole = batchOf(5).bytes;
  const payloads = await Promise.all([batchOf(3), batchOf(2, 3)].map(({ bytes }) => compressLines(bytes)));
  const named = Buffer.from(await compressLines(whole));
  named[3] = 8; // A name follows the header, and ends with a zero.
  const withName = Buffer.concat([named.subarray(0, 10), Buffer.from("lines\0"), named.subarray(10)]);
  for (const payload of [Buffer.concat(payloads), withName]) {
    const body = await joinFrames([await frameOf(whole, { payload })]);
    assert.deepEqual(readFirstMember(body).contents, whole);
  }
});

test("joinFrames rejects if one of several frames is damaged", async () => {
  const frame = await frameOf(batchOf(100).bytes);
  await assert.rejects(joinFrames([frame, { ...frame, payload: frame.payload.slice(0, -20) }]));
});

test("a compressed payload does not keep more memory than its length", async () => {
  const payload = await compressLines(batchOf(10).bytes);
  assert.equal(payload.buffer.byteLength, payload.length);
});

test("expandFrame rejects a damaged frame and one that is longer than rawBytes", async () => {
  const { bytes } = batchOf(100);
  const whole = await frameOf(bytes);
  await assert.rejects(expandFrame({ ...whole, payload: whole.payload.slice(0, -20) }));
  await assert.rejects(expandFrame({ ...whole, payload: Buffer.from("no gzip") }));
  await assert.rejects(expandFrame({ ...whole, rawBytes: bytes.length - 1 }));
});
