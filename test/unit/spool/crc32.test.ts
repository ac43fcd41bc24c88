import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { combineCrc32 } from "../../../src/spool/crc32.ts";

const text = fc.uint8Array({ maxLength: 5_000 });

test("the combined CRC is that of both texts in a row", () => {
  fc.assert(
    fc.property(text, text, (first, second) => {
      const combined = combineCrc32(crc32(first), crc32(second), second.length);
      assert.equal(combined, crc32(Buffer.concat([first, second])));
    }),
    { numRuns: 1_000 },
  );
});

test("the length of the second text may have any number of bits", () => {
  const zeros = Buffer.alloc(1 << 24);
  for (let bits = 0; bits <= 24; bits++)
    for (const length of [1 << bits, (1 << bits) - 1]) {
      const second = zeros.subarray(0, length);
      assert.equal(combineCrc32(0x1234_5678, crc32(second), length), crc32(second, 0x1234_5678), `${length}`);
    }
});
