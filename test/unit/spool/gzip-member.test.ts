import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { constants, crc32, deflateRawSync, gzipSync } from "node:zlib";
import fc from "fast-check";
import { compressLines, expandFrame, joinFrames } from "../../../src/spool/gzip-member.ts";
import type { Frame } from "../../../src/spool/spool.ts";
import { batchOf } from "../../support/delivery.ts";
import { readFirstMember } from "../../support/gzip-member.ts";

const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255]);

async function frameOf(bytes: Uint8Array, change: Partial<Frame> = {}): Promise<Frame> {
  const payload = await compressLines(bytes);
  return { sequence: 0n, lines: 1, rawBytes: bytes.length, createdAtMs: 0, payload, ...change };
}

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
    // Magic, deflate, no flags, no time, fastest, an unknown operating system.
    assert.deepEqual(body.subarray(0, 10), HEADER);
    assert.equal(body.readUInt32LE(body.length - 8), crc32(expected));
    assert.equal(body.readUInt32LE(body.length - 4), expected.length);
    const { contents, behind } = readFirstMember(body);
    assert.deepEqual([contents, behind], [expected, 0]);
  });
}

test("lines are compressed to the same bytes in the main thread and in another one", async () => {
  // The second batch is larger than what the main thread compresses.
  for (const lines of [1_000, 10_000]) {
    const { bytes } = batchOf(lines);
    const { payload } = await frameOf(bytes);
    const expected = deflateRawSync(bytes, { level: 1, finishFlush: constants.Z_SYNC_FLUSH });
    assert.deepEqual(Buffer.from(payload).subarray(HEADER.length, HEADER.length + expected.length), expected);
  }
});

test("a single frame is sent as it is stored", async () => {
  const frame = await frameOf(batchOf(10).bytes);
  assert.equal(await joinFrames([frame]), frame.payload);
});

test("10,000 random groups of frames are each one member with the right header, CRC and length", async () => {
  const random = randomBytes(1 << 16);
  const contents = Array.from({ length: 300 }, (_, n) =>
    n % 3 === 0 ? random.subarray(n * 7, n * 7 + n * 9) : batchOf(n, n * 1_000).bytes,
  );
  const pool = await Promise.all(contents.map((bytes) => frameOf(bytes)));
  const group = fc.array(fc.nat({ max: pool.length - 1 }), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(group, async (indices) => {
      const body = Buffer.from(await joinFrames(indices.flatMap((index) => pool[index] ?? [])));
      const expected = Buffer.concat(indices.map((index) => contents[index] ?? Buffer.alloc(0)));
      assert.ok(body.subarray(0, 10).equals(HEADER));
      assert.equal(body.readUInt32LE(body.length - 8), crc32(expected));
      assert.equal(body.readUInt32LE(body.length - 4), expected.length);
      const { contents: read, behind } = readFirstMember(body);
      assert.ok(read.equals(expected));
      assert.equal(behind, 0);
    }),
    { numRuns: 10_000 },
  );
});

test("frames of an earlier version are joined with others", async () => {
  const old = await frameOf(batchOf(3).bytes, { payload: gzipSync(batchOf(3).bytes) });
  const young = await frameOf(batchOf(4, 3).bytes);
  for (const frames of [[old], [old, young], [young, old, old]]) {
    const { contents, behind } = readFirstMember(await joinFrames(frames));
    assert.equal(
      contents.length,
      frames.reduce((sum, { rawBytes }) => sum + rawBytes, 0),
    );
    assert.equal(behind, 0);
  }
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
