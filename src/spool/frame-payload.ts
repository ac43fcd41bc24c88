import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import type { Frame, LineBatch } from "./spool.ts";

const compress = promisify(gzip);
const decompress = promisify(gunzip);

/** Level 6 takes twice the CPU of level 1 for an eighth fewer bytes. */
const GZIP_LEVEL = 1;
const NEWLINE = 10;

export interface BatchLimits {
  readonly maxLines: number;
  readonly maxBytes: number;
}

/** Frames of this size let a sender fill a request up to its limits without opening one. */
const FRAME_LIMITS: BatchLimits = { maxLines: 1_000, maxBytes: 512 * 1024 };

/** One gzip member, in memory of exactly its size: zlib hands out a slice that keeps a whole chunk alive. */
export async function compressLines(lines: Uint8Array): Promise<Uint8Array> {
  return new Uint8Array(await compress(lines, { level: GZIP_LEVEL }));
}

/** The lines of a frame. Rejects when the payload is damaged or holds more than the frame says. */
export async function expandFrame({ payload, rawBytes }: Frame): Promise<Uint8Array> {
  return decompress(payload, { maxOutputLength: rawBytes });
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
