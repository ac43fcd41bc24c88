import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { createGzip, gunzip, gzip } from "node:zlib";
import type { Frame, LineBatch } from "./spool.ts";

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/** Level 6 takes twice the CPU of level 1 and saves an eighth of the bytes. */
const GZIP_LEVEL = 1;
const NEWLINE = 10;
/** Magic, deflate, no flags. Such a header is ten bytes long. */
const MEMBER_START = Buffer.from([0x1f, 0x8b, 8, 0]);
const SMALLEST_MEMBER = 18;

export interface BatchLimits {
  readonly maxLines: number;
  readonly maxBytes: number;
}

/** The compressed lines of a frame, and their size before compression in bytes. */
export type FramePayload = Pick<Frame, "payload" | "rawBytes">;

/** Small enough that whole frames fill a request almost up to its limits. */
const FRAME_LIMITS: BatchLimits = { maxLines: 1_000, maxBytes: 512 * 1024 };

/** Compresses lines to one gzip member. Copies it, because zlib returns a slice that keeps a larger chunk in memory. */
export async function compressLines(lines: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await compress(lines, { level: GZIP_LEVEL }));
}

/** Resolves to the lines of a frame. Rejects if the payload is damaged or longer than `rawBytes` when expanded. */
export async function expandFrame({ payload, rawBytes }: FramePayload): Promise<Uint8Array> {
  return decompress(payload, { maxOutputLength: rawBytes });
}

/**
 * Resolves to the lines of the frames, at least one, as a single gzip member: of several members InfluxDB 3.0 to 3.7 reads only
 * the first, and answers 204. A single frame is returned as it is stored. Several are compressed again, off the main thread,
 * with one of them expanded at a time. Rejects if one of several frames is damaged.
 */
export async function joinFrames(frames: readonly FramePayload[]): Promise<Uint8Array> {
  const [first] = frames;
  if (frames.length === 1 && first !== undefined && isOneMember(first)) return first.payload;
  return pipeline(expandAll(frames), createGzip({ level: GZIP_LEVEL }), collect);
}

async function* expandAll(frames: readonly FramePayload[]): AsyncGenerator<Uint8Array> {
  for (const frame of frames) yield await expandFrame(frame);
}

async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const collected: Uint8Array[] = [];
  for await (const chunk of chunks) collected.push(chunk);
  return Buffer.concat(collected);
}

/**
 * Returns whether the payload is a single member, without decompressing it: the last four bytes are the length of the last
 * member's content, which equals the length of all lines only if it is the only member.
 */
function isOneMember({ payload, rawBytes }: FramePayload): boolean {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  return (
    bytes.length >= SMALLEST_MEMBER &&
    bytes.subarray(0, MEMBER_START.length).equals(MEMBER_START) &&
    bytes.readUInt32LE(bytes.length - 4) === rawBytes
  );
}

/** Splits a batch into parts of at most `maxLines` and `maxBytes`. A longer line is a part of its own. */
export function splitBatch(batch: LineBatch, limits = FRAME_LIMITS): readonly LineBatch[] {
  const { lines, bytes } = batch;
  if (lines <= limits.maxLines && bytes.length <= limits.maxBytes) return [batch];
  const offsets = lineOffsets(bytes);
  return partsWithin(limits, offsets).map(({ from, to }) => ({
    lines: to - from,
    bytes: bytes.subarray(offsets[from], offsets[to]),
  }));
}

/** Returns where each line begins, and where the last one ends. The last line may be without a newline. */
export function lineOffsets(lines: Uint8Array): readonly number[] {
  const offsets = [0];
  for (let end = 0; end < lines.length; offsets.push(end)) {
    const newline = lines.indexOf(NEWLINE, end);
    end = newline < 0 ? lines.length : newline + 1;
  }
  return offsets;
}

/** Pieces of a text from number `from` up to, but not including, `to`. */
export interface Part {
  readonly from: number;
  readonly to: number;
}

/**
 * Returns all pieces in parts within these limits. `offsets` are where each piece begins, and where the last one ends. A piece
 * that is larger is a part of its own.
 */
export function partsWithin({ maxLines, maxBytes }: BatchLimits, offsets: readonly number[]): readonly Part[] {
  const parts: Part[] = [];
  const pieces = offsets.length - 1;
  for (let from = 0, to = 1; from < pieces; to++) {
    const bytes = (offsets[to + 1] ?? Infinity) - (offsets[from] ?? 0);
    if (to < pieces && to - from < maxLines && bytes <= maxBytes) continue;
    parts.push({ from, to });
    from = to;
  }
  return parts;
}
