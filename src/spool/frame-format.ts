import { crc32 } from "node:zlib";
import type { Frame } from "./spool.ts";

/**
 * The format of segment files, version 1. A file is a preamble and a sequence of frames. The preamble:
 *
 *     0  8 bytes "KVTSPOOL"   8  u32 version   12  u32 CRC of the bytes before
 *
 * A frame is a header, the names of its targets, and its payload:
 *
 *     0  u32 magic            4  u32 length of the payload   8  u64 sequence
 *    16  u32 lines           20  u32 raw bytes              24  u64 created at, in milliseconds since the epoch
 *    32  u32 CRC of the payload                             36  u32 length of the names
 *    40  u32 CRC of the bytes before and of the names       44  names, UTF-8, a newline between two
 *
 * Numbers are little-endian. A reader trusts the lengths in a header only if the header's CRC is correct.
 */
export const FORMAT_VERSION = 1;

export const PREAMBLE_BYTES = 16;
export const HEADER_BYTES = 44;
/** Begins every frame; a reader searches for it after damage. The first byte does not occur in ASCII or UTF-8. */
export const MAGIC = Buffer.from([0xf5, 0x4b, 0x54, 0x46]);

const PREAMBLE_NAME = "KVTSPOOL";
/** Much more than needed: a target name has at most 63 bytes, and a configuration at most 8 targets with 4 cursors each. */
const MAX_NAMES_BYTES = 16 * 1024;

export interface FrameHeader extends Omit<Frame, "payload"> {
  readonly targets: readonly string[];
  readonly payloadBytes: number;
  readonly payloadCrc: number;
  /** Length of the frame: header, names and payload. */
  readonly bytes: number;
}

export function encodePreamble(version = FORMAT_VERSION): Buffer {
  const bytes = Buffer.alloc(PREAMBLE_BYTES);
  bytes.write(PREAMBLE_NAME, "latin1");
  bytes.writeUInt32LE(version, 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 12)), 12);
  return bytes;
}

/** Returns the version in a preamble; undefined if the preamble is damaged. */
export function preambleVersion(bytes: Buffer): number | undefined {
  const intact =
    bytes.length >= PREAMBLE_BYTES &&
    bytes.toString("latin1", 0, 8) === PREAMBLE_NAME &&
    bytes.readUInt32LE(12) === crc32(bytes.subarray(0, 12));
  return intact ? bytes.readUInt32LE(8) : undefined;
}

/** Returns the header and names of a frame. Names of targets must not contain a newline. */
export function encodeHeader(frame: Frame, targets: readonly string[]): Buffer {
  const names = Buffer.from(targets.join("\n"));
  const bytes = Buffer.alloc(HEADER_BYTES + names.length);
  MAGIC.copy(bytes);
  bytes.writeUInt32LE(frame.payload.length, 4);
  bytes.writeBigUInt64LE(frame.sequence, 8);
  bytes.writeUInt32LE(frame.lines, 16);
  bytes.writeUInt32LE(frame.rawBytes, 20);
  bytes.writeBigUInt64LE(BigInt(frame.createdAtMs), 24);
  bytes.writeUInt32LE(crc32(frame.payload), 32);
  bytes.writeUInt32LE(names.length, 36);
  bytes.writeUInt32LE(crc32(names, crc32(bytes.subarray(0, 40))), 40);
  names.copy(bytes, HEADER_BYTES);
  return bytes;
}

/** Returns the length of a header with its names from its first bytes; undefined if no header begins here. */
export function headerLength(bytes: Buffer): number | undefined {
  if (bytes.length < HEADER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) return undefined;
  const namesBytes = bytes.readUInt32LE(36);
  return namesBytes > MAX_NAMES_BYTES ? undefined : HEADER_BYTES + namesBytes;
}

/** Parses a whole header with its names; returns undefined if it is damaged. */
export function decodeHeader(bytes: Buffer): FrameHeader | undefined {
  const names = bytes.subarray(HEADER_BYTES);
  if (bytes.readUInt32LE(40) !== crc32(names, crc32(bytes.subarray(0, 40)))) return undefined;
  const payloadBytes = bytes.readUInt32LE(4);
  return {
    sequence: bytes.readBigUInt64LE(8),
    lines: bytes.readUInt32LE(16),
    rawBytes: bytes.readUInt32LE(20),
    createdAtMs: Number(bytes.readBigUInt64LE(24)),
    targets: names.length === 0 ? [] : names.toString().split("\n"),
    payloadBytes,
    payloadCrc: bytes.readUInt32LE(32),
    bytes: bytes.length + payloadBytes,
  };
}
