import assert from "node:assert/strict";
import { crc32, inflateRawSync, type InflateRaw } from "node:zlib";

export interface GzipMember {
  readonly contents: Buffer;
  /** Bytes behind the member. */
  readonly behind: number;
}

const HEADER_BYTES = 10;
const TRAILER_BYTES = 8;

/**
 * Reads the first gzip member of a body and no more, as InfluxDB 3.0 to 3.7 does. Throws when a byte of the header is not as
 * in a member without flags, or when the trailer's CRC or length is not that of the contents.
 */
export function readFirstMember(body: Uint8Array): GzipMember {
  const bytes = Buffer.from(body);
  assert.deepEqual([...bytes.subarray(0, 4)], [0x1f, 0x8b, 8, 0], "magic, deflate, no flags");
  // With `info` it returns this, which the types do not say.
  const inflated = inflateRawSync(bytes.subarray(HEADER_BYTES), { info: true }) as unknown as {
    buffer: Buffer;
    engine: Pick<InflateRaw, "bytesWritten">;
  };
  const end = HEADER_BYTES + inflated.engine.bytesWritten;
  assert.ok(bytes.length >= end + TRAILER_BYTES, "the trailer is cut off");
  assert.equal(bytes.readUInt32LE(end), crc32(inflated.buffer), "CRC");
  assert.equal(bytes.readUInt32LE(end + 4), inflated.buffer.length, "length");
  return { contents: inflated.buffer, behind: bytes.length - end - TRAILER_BYTES };
}

/** The lines of a body; throws unless that is one member and nothing behind it. */
export function linesOf(body: Uint8Array): string[] {
  const { contents, behind } = readFirstMember(body);
  assert.equal(behind, 0, "bytes behind the first gzip member");
  return contents.toString().split("\n").filter(Boolean);
}
