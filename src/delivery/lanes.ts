import { sumOfLosses, type Losses } from "../spool/losses.ts";
import type { Spool, SpoolCursor } from "../spool/spool.ts";
import { Lane, NewestFirstLane } from "./lane.ts";
import type { WakeSignal } from "../lib/waker.ts";

/** One lane for new lines, and three for backlogs: the next outage can begin before a backlog is delivered. */
const LANES = 4;

/** Decides when lanes are due. */
export interface Schedule {
  /** On the monotonic clock. */
  readonly nowMs: number;
  /** Number of lines that fill a request. Fewer new lines wait for more, up to the flush interval. */
  readonly fullLines: number;
  /** The flush interval. */
  readonly intervalMs: number;
  /** A drain runs: lanes do not wait for more lines, and ignore their pace. */
  readonly draining: boolean;
}

/** Returns the names of a target's cursors in the spool. A target's name cannot contain a slash. */
export function laneNames(target: string): readonly string[] {
  return Array.from({ length: LANES }, (_, index) => (index === 0 ? target : `${target}/${index + 1}`));
}

/**
 * The queued lines of one target. After an outage new lines get a lane of their own, so that new data is not delayed by the
 * backlog. A lane is a cursor of the spool, so it outlives the process. Lines that were appended just before a lane became a
 * backlog are sent before the rest of it.
 */
export class Lanes {
  readonly #lanes: readonly Lane[];
  /** The lane to which new lines are appended. */
  #live: Lane;
  /** New lines that are in a lane behind a backlog. */
  #newestFirst: NewestFirstLane | undefined;

  constructor(target: string, spool: Pick<Spool, "cursor">) {
    this.#lanes = laneNames(target).map((name) => new Lane(name, spool.cursor(name)));
    // After a restart this is the lane with the newest lines. If all are empty, it is the first, with the target's own name.
    this.#live = this.#lanes.reduce((newest, lane) =>
      newestOf(lane.cursor) > newestOf(newest.cursor) ? lane : newest,
    );
  }

  get live(): Lane {
    return this.#live;
  }

  get backlog(): SpoolCursor["backlog"] {
    const of = (what: "frames" | "lines" | "bytes"): number =>
      this.#lanes.reduce((sum, { cursor }) => sum + cursor.backlog[what], 0);
    return { frames: of("frames"), lines: of("lines"), bytes: of("bytes") };
  }

  get droppedLines(): number {
    return this.#lanes.reduce((sum, { cursor }) => sum + cursor.droppedLines, 0);
  }

  get losses(): Losses {
    return this.#lanes.map(({ cursor }) => cursor.losses).reduce(sumOfLosses);
  }

  /** Time of the oldest queued line on the monotonic clock, as in SpoolCursor. */
  get oldestMonotonicMs(): number | undefined {
    const known = this.#lanes.flatMap(({ cursor }) => cursor.oldestMonotonicMs ?? []);
    return known.length === 0 ? undefined : Math.min(...known);
  }

  /** Sequence number of the newest unacknowledged frame, or -1 without one. */
  get newest(): bigint {
    return this.#lanes.reduce((newest, { cursor }) => (newestOf(cursor) > newest ? newestOf(cursor) : newest), -1n);
  }

  /** Whether a frame with this sequence number or a smaller one is still queued. */
  hasUpTo(goal: bigint): boolean {
    return this.#lanes.some(({ cursor: { oldest } }) => oldest !== undefined && oldest <= goal);
  }

  /** Whether the lane has new lines. The live lane counts as a backlog as long as a newest-first lane serves it. */
  hasNewLines(lane: Lane): boolean {
    return lane === this.#newestFirst || (lane === this.#live && lane.name !== this.#newestFirst?.name);
  }

  /**
   * Makes the live lane a backlog. Its frames that were appended at `sinceMs` or later, in milliseconds since the epoch, are
   * sent before the rest. Future lines get a lane of their own if one is free.
   */
  startNewLane(sinceMs: number): void {
    this.#newestFirst = new NewestFirstLane(this.#live, sinceMs);
    const free = this.#lanes.find(({ isEmpty }) => isEmpty);
    free?.alreadySent.clear();
    this.#live = free ?? this.#live;
  }

  /** Delays a lane until `untilMs`. All backlogs share one pace. */
  pace(lane: Lane, untilMs: number): void {
    const paced = this.hasNewLines(lane) ? [lane] : this.#lanes.filter((other) => !this.hasNewLines(other));
    for (const each of paced) each.pacedUntilMs = untilMs;
  }

  /** Notes that the target accepts lines. A search that waited for that continues at once. */
  targetAccepts(): void {
    for (const lane of this.#inOrder())
      if (lane.search?.targetAccepts() === true) lane.retryAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Ends the retry delays of all lanes. */
  retryNow(): void {
    for (const lane of this.#inOrder()) lane.retryAtMs = Number.NEGATIVE_INFINITY;
  }

  /** Forgets what was learned about the target: ends searches, suspicions and retry delays. */
  reset(): void {
    for (const lane of this.#inOrder()) {
      lane.search = undefined;
      lane.clearSuspicion();
    }
    this.retryNow();
  }

  /** Returns the lane that is due next and the time until then, or undefined if all are empty. */
  next(schedule: Schedule): { readonly lane: Lane; readonly inMs: number } | undefined {
    // The backlog is delivered.
    if (this.#newestFirst?.isEmpty === true) this.#newestFirst = undefined;
    const waiting = this.#inOrder()
      .filter(({ isEmpty }) => !isEmpty)
      .map((lane) => ({ lane, inMs: Math.max(0, this.#dueMs(lane, schedule) - schedule.nowMs) }));
    return waiting.reduce<(typeof waiting)[number] | undefined>(
      (soonest, other) => (soonest === undefined || other.inMs < soonest.inMs ? other : soonest),
      undefined,
    );
  }

  /** Resolves when an empty lane gets lines, or when the signal aborts. The caller must abort it to release the waiters. */
  async filled(signal: WakeSignal): Promise<void> {
    await Promise.race(this.#lanes.filter(({ isEmpty }) => isEmpty).map(({ cursor }) => cursor.ready(signal)));
  }

  /** Returns the lanes by priority: new lines first, then the oldest backlog. */
  #inOrder(): readonly Lane[] {
    const lanes = this.#lanes.toSorted((one, other) => (newestOf(one.cursor) < newestOf(other.cursor) ? -1 : 1));
    const newestFirst = this.#newestFirst === undefined ? [] : [this.#newestFirst];
    const live = lanes.filter((lane) => this.hasNewLines(lane));
    return [...newestFirst, ...live, ...lanes.filter((lane) => !this.hasNewLines(lane))];
  }

  #dueMs(lane: Lane, { nowMs, fullLines, intervalMs, draining }: Schedule): number {
    // The lane is empty now, but an append that began when it was the live lane may still be running.
    if (lane === this.#newestFirst && !lane.fills(1)) return nowMs + intervalMs;
    if (lane === this.#newestFirst || draining || lane.search !== undefined) return lane.retryAtMs;
    const gathers = this.hasNewLines(lane) && !lane.fills(fullLines);
    const gatheredMs = gathers ? lane.lastSentMs + intervalMs : Number.NEGATIVE_INFINITY;
    return Math.max(lane.retryAtMs, lane.pacedUntilMs, gatheredMs);
  }
}

function newestOf({ newest }: SpoolCursor): bigint {
  return newest ?? -1n;
}
