import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  decodeHeader,
  encodeHeader,
  encodePreamble,
  FORMAT_VERSION,
  headerLength,
  PREAMBLE_BYTES,
  preambleVersion,
} from "../../../src/spool/frame-format.ts";
import type { Frame } from "../../../src/spool/spool.ts";

const UINT32 = fc.nat(0xffff_ffff);
const frame: fc.Arbitrary<Frame> = fc.record({
  sequence: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  lines: UINT32,
  rawBytes: UINT32,
  createdAtMs: fc.nat(Number.MAX_SAFE_INTEGER),
  payload: fc.uint8Array({ maxLength: 100 }),
});
const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 63 }).filter((text) => !text.includes("\n"));
const names = fc.uniqueArray(name, { maxLength: 8 });

test("a decoded header equals the encoded one", () => {
  fc.assert(
    fc.property(frame, names, (frame, targets) => {
      const header = encodeHeader(frame, targets);
      assert.equal(headerLength(header), header.length);
      const { payload, ...meta } = frame;
      const { payloadBytes, payloadCrc, bytes, ...read } = decodeHeader(header) ?? assert.fail("damaged");
      assert.deepEqual(read, { ...meta, targets });
      assert.equal(payloadBytes, payload.length);
      assert.equal(bytes, header.length + payload.length);
      assert.equal(typeof payloadCrc, "number");
    }),
  );
});

test("a header with a wrong bit is rejected", () => {
  fc.assert(
    fc.property(frame, names, fc.nat(), fc.integer({ min: 1, max: 255 }), (frame, targets, position, mask) => {
      const header = encodeHeader(frame, targets);
      const at = position % header.length;
      header[at] = (header[at] ?? 0) ^ mask;
      const length = headerLength(header);
      if (length === undefined) return;
      // The wrong bit may be in the length, and the header then includes the next bytes of the file.
      const padded = Buffer.concat([header, Buffer.alloc(length)]);
      assert.equal(decodeHeader(padded.subarray(0, length)), undefined);
    }),
  );
});

test("a preamble has the version, and a damaged one is rejected", () => {
  assert.equal(preambleVersion(encodePreamble()), FORMAT_VERSION);
  assert.equal(preambleVersion(encodePreamble(7)), 7);
  assert.equal(preambleVersion(encodePreamble().subarray(0, PREAMBLE_BYTES - 1)), undefined);
  for (let at = 0; at < PREAMBLE_BYTES; at++) {
    const bytes = encodePreamble();
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    assert.equal(preambleVersion(bytes), undefined);
  }
});

test("the bytes of format version 1 do not change", () => {
  const frame = { sequence: 258n, lines: 2, rawBytes: 40, createdAtMs: 1_700_000_000_000, payload: Buffer.from("xyz") };
  assert.equal(encodePreamble().toString("hex"), "4b565453504f4f4c01000000b505db6d");
  const parts = [
    "f54b5446" + "03000000" + "0201000000000000" + "02000000" + "28000000",
    "0068e5cf8b010000" + "67ba8eeb" + "04000000" + "feaae8cf" + "610a6263",
  ];
  assert.equal(encodeHeader(frame, ["a", "bc"]).toString("hex"), parts.join(""));
});
