import type { Frame } from "./spool.ts";

/** How much of something: whole frames, their lines, their compressed bytes. */
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

export function totalsOf({ lines, payload }: Pick<Frame, "lines" | "payload">): Totals {
  return { frames: 1, lines, bytes: payload.length };
}

/** A file of frames, and what each target still needs of it. */
export class Segment {
  readonly path: string;
  /** Sequence number of its first frame. */
  readonly first: bigint;
  last: bigint;
  /** Length of what is durable of it; a reader goes no further. */
  bytes = 0;
  frames = 0;
  /** No frame will be added. */
  sealed = false;
  /** When its oldest and its newest frame came into being, on the monotonic clock. */
  oldestBornAtMs = Infinity;
  newestBornAtMs = -Infinity;
  readonly #waiting = new Map<string, Totals>();
  readonly #damaged = new Set<number>();

  constructor(path: string, first: bigint) {
    this.path = path;
    this.first = first;
    this.last = first;
  }

  /** The targets that still need something of it. */
  get waiting(): ReadonlyMap<string, Totals> {
    return this.#waiting;
  }

  /** A frame is in it now. */
  hold(sequence: bigint, bornAtMs: number): void {
    this.frames++;
    if (sequence > this.last) this.last = sequence;
    this.oldestBornAtMs = Math.min(this.oldestBornAtMs, bornAtMs);
    this.newestBornAtMs = Math.max(this.newestBornAtMs, bornAtMs);
  }

  need(target: string, totals: Totals): void {
    this.#waiting.set(target, plus(this.waitingFor(target), totals));
  }

  waitingFor(target: string): Totals {
    return this.#waiting.get(target) ?? NOTHING;
  }

  /** The target needs so much less of it. */
  settle(target: string, totals: Totals): void {
    const left = minus(this.waitingFor(target), totals);
    if (left.frames > 0) this.#waiting.set(target, left);
    else this.#waiting.delete(target);
  }

  /** The target needs nothing of it any more. */
  release(target: string): void {
    this.#waiting.delete(target);
  }

  /** Whether the damage at this offset is seen for the first time. */
  notesDamage(offset: number): boolean {
    const before = this.#damaged.size;
    return this.#damaged.add(offset).size > before;
  }
}
