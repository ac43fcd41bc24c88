import type { Frame } from "../spool/spool.ts";

export function linesOf(frames: readonly Frame[]): number {
  return frames.reduce((sum, { lines }) => sum + lines, 0);
}

export function rawBytesOf(frames: readonly Frame[]): number {
  return frames.reduce((sum, { rawBytes }) => sum + rawBytes, 0);
}

/** The one at this share, from 0 to 1, of the way; undefined when there is none. */
export function oneOf<T>(items: readonly T[], share: number): T | undefined {
  return items[Math.min(items.length - 1, Math.floor(share * items.length))];
}

/** Those before the first for which it does not hold. */
export function leading<T>(items: readonly T[], holds: (item: T) => boolean): readonly T[] {
  const end = items.findIndex((item) => !holds(item));
  return end === -1 ? items : items.slice(0, end);
}
