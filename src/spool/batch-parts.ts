import type { LineBatch } from "./spool.ts";

const NEWLINE = 10;

export interface BatchLimits {
  readonly maxLines: number;
  readonly maxBytes: number;
}

/** Small enough that whole frames fill a request almost up to its limits. */
const FRAME_LIMITS: BatchLimits = { maxLines: 1_000, maxBytes: 512 * 1024 };

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
