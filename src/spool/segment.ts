import type { Frame } from "./spool.ts";

/** A number of frames, their lines and their compressed bytes. */
export interface Totals {
  readonly frames: number;
  readonly lines: number;
  readonly bytes: number;
}

export const NOTHING: Totals = { frames: 0, lines: 0, bytes: 0 };

export function plus(totals: Totals, { frames, lines, bytes }: Totals): Totals {
  return { frames: totals.frames + frames, lines: totals.lines + lines, bytes: totals.bytes + bytes };
}

export function minus(totals: Totals, { frames, lines, bytes }: Totals): Totals {
  return { frames: totals.frames - frames, lines: totals.lines - lines, bytes: totals.bytes - bytes };
}

/** Returns the totals of one frame. */
export function totalsOf({ lines, payload }: Pick<Frame, "lines" | "payload">): Totals {
  return { frames: 1, lines, bytes: payload.length };
}

/** A segment file, and for each target the totals of the frames in it that the target still needs. */
export class Segment {
  readonly path: string;
  /** Sequence number of the first frame. Smaller ones in the file are in an older segment too, and do not count here. */
  readonly first: bigint;
  /** Sequence number of the last frame. */
  last: bigint;
  /** Durable length of the file; a reader does not read further. */
  bytes = 0;
  frames = 0;
  /** No more frames will be added. */
  sealed = false;
  /** When the oldest and the newest frame were appended, on the monotonic clock. */
  oldestMonotonicMs = Infinity;
  newestMonotonicMs = -Infinity;
  readonly #pending = new Map<string, Totals>();
  readonly #damaged = new Set<number>();

  constructor(path: string, first: bigint) {
    this.path = path;
    this.first = first;
    this.last = first;
  }

  /** Target -> the totals that it still needs. Has no entry for a target that needs nothing. */
  get pending(): ReadonlyMap<string, Totals> {
    return this.#pending;
  }

  /** Counts a frame that is now in the file. */
  addFrame(sequence: bigint, monotonicMs: number): void {
    this.frames++;
    if (sequence > this.last) this.last = sequence;
    this.oldestMonotonicMs = Math.min(this.oldestMonotonicMs, monotonicMs);
    this.newestMonotonicMs = Math.max(this.newestMonotonicMs, monotonicMs);
  }

  shiftTimes(ms: number): void {
    this.oldestMonotonicMs += ms;
    this.newestMonotonicMs += ms;
  }

  addPending(target: string, totals: Totals): void {
    this.#pending.set(target, plus(this.pendingFor(target), totals));
  }

  pendingFor(target: string): Totals {
    return this.#pending.get(target) ?? NOTHING;
  }

  /** Subtracts frames that the target no longer needs. */
  consume(target: string, totals: Totals): void {
    const left = minus(this.pendingFor(target), totals);
    if (left.frames > 0) this.#pending.set(target, left);
    else this.#pending.delete(target);
  }

  /** The target needs nothing of this segment any more. */
  dropTarget(target: string): void {
    this.#pending.delete(target);
  }

  /** Returns whether damage at this offset is new, and remembers it, so that it is counted once. */
  addDamage(offset: number): boolean {
    const before = this.#damaged.size;
    return this.#damaged.add(offset).size > before;
  }
}
