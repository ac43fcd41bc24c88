import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { createGzip, gunzip, gzip } from "node:zlib";
import type { Frame, LineBatch } from "./spool.ts";

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/** Level 6 takes twice the CPU of level 1 for an eighth fewer bytes. */
const GZIP_LEVEL = 1;
const NEWLINE = 10;
/** Magic, deflate, and no flags: the header is these and six more bytes. */
const MEMBER_START = Buffer.from([0x1f, 0x8b, 8, 0]);
const SMALLEST_MEMBER = 18;

export interface BatchLimits {
  readonly maxLines: number;
  readonly maxBytes: number;
}

/** The compressed lines of a frame, and their size before compression in bytes. */
export type FramePayload = Pick<Frame, "payload" | "rawBytes">;

/** Frames of this size let a sender fill a request up to its limits with whole ones. */
const FRAME_LIMITS: BatchLimits = { maxLines: 1_000, maxBytes: 512 * 1024 };

/** One gzip member, in memory of exactly its size: zlib hands out a slice that keeps a whole chunk alive. */
export async function compressLines(lines: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await compress(lines, { level: GZIP_LEVEL }));
}

/** The lines of a frame. Rejects when the payload is damaged or holds more than the frame says. */
export async function expandFrame({ payload, rawBytes }: FramePayload): Promise<Uint8Array> {
  return decompress(payload, { maxOutputLength: rawBytes });
}

/**
 * The lines of these frames, of which there is one at least, as one gzip member. InfluxDB 3.0 to 3.7 reads the first member
 * of a body, answers 204 and loses the others. A single frame is returned as it is stored; several are compressed anew, off
 * the main thread, with one of them expanded at a time. Rejects when one of several is damaged.
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
 * Whether the payload is a single member. The last four bytes are the length of the last member's contents: only when there
 * is no other can that be the length of all lines. Nothing is decompressed for this.
 */
function isOneMember({ payload, rawBytes }: FramePayload): boolean {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  return (
    bytes.length >= SMALLEST_MEMBER &&
    bytes.subarray(0, MEMBER_START.length).equals(MEMBER_START) &&
    bytes.readUInt32LE(bytes.length - 4) === rawBytes
  );
}

/** The same lines in parts of at most `maxLines` and `maxBytes`; a longer line is a part of its own. */
export function splitBatch(batch: LineBatch, limits = FRAME_LIMITS): readonly LineBatch[] {
  const { maxLines, maxBytes } = limits;
  if (batch.lines <= maxLines && batch.bytes.length <= maxBytes) return [batch];
  const parts: LineBatch[] = [];
  let start = 0;
  let lines = 0;
  let end = 0;
  const close = (): void => {
    if (lines > 0) parts.push({ lines, bytes: batch.bytes.subarray(start, end) });
    start = end;
    lines = 0;
  };
  while (end < batch.bytes.length) {
    const newline = batch.bytes.indexOf(NEWLINE, end);
    const next = newline < 0 ? batch.bytes.length : newline + 1;
    if (lines === maxLines || next - start > maxBytes) close();
    end = next;
    lines++;
  }
  close();
  return parts;
}
