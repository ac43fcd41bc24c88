import assert from "node:assert/strict";
import { crc32, inflateRawSync, type InflateRaw } from "node:zlib";

export interface GzipMember {
  readonly contents: Buffer;
  /** Number of bytes behind the member. */
  readonly behind: number;
}

const HEADER_BYTES = 10;
const TRAILER_BYTES = 8;

/**
 * Reads only the first gzip member of a body, as InfluxDB 3.0 to 3.7 does. Throws if the header is invalid or has flags, or if
 * the CRC or the length in the trailer is wrong.
 */
export function readFirstMember(body: Uint8Array): GzipMember {
  const bytes = Buffer.from(body);
  assert.deepEqual([...bytes.subarray(0, 4)], [0x1f, 0x8b, 8, 0], "magic, deflate, no flags");
  // With `info` the function returns this object; its declared type is wrong.
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

/** Returns the lines of a body. Throws unless the body is exactly one member. */
export function linesOf(body: Uint8Array): string[] {
  const { contents, behind } = readFirstMember(body);
  assert.equal(behind, 0, "bytes behind the first gzip member");
  return contents.toString().split("\n").filter(Boolean);
}
