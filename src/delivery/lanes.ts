import { sumOfLosses, type Losses } from "../spool/losses.ts";
import type { Spool, SpoolCursor } from "../spool/spool.ts";
import { Lane, NewestFirstLane } from "./lane.ts";

/** Outages within one another's time of catching up, and the present. */
const LANES = 4;

/** When lanes are due. */
export interface Schedule {
  readonly nowMs: number;
  /** Lines of the present wait for others to fill a request, up to the flush interval. */
  readonly fullLines: number;
  readonly intervalMs: number;
  /** Nothing waits for more lines or keeps to a pace. */
  readonly draining: boolean;
}

/** The names of a target's cursors in the spool. No name of a target has a slash. */
export function laneNames(target: string): readonly string[] {
  return Array.from({ length: LANES }, (_, index) => (index === 0 ? target : `${target}/${index + 1}`));
}

/**
 * The lines for one target: those of the present, and behind an outage its backlog, each in a lane of its own so that the
 * present does not have to wait for the past. A lane is a cursor of the spool, so both outlive the process. What was written
 * just before a lane became a backlog, or while it did, goes ahead of the rest of it.
 */
export class Lanes {
  readonly #lanes: readonly Lane[];
  /** Where the lines of the present are appended. */
  #live: Lane;
  /** Lines of the present that are in a lane with a backlog before them. */
  #newestFirst: NewestFirstLane | undefined;

  constructor(target: string, spool: Pick<Spool, "cursor">) {
    this.#lanes = laneNames(target).map((name) => new Lane(name, spool.cursor(name)));
    // The one that was left with the newest lines; else the one with the target's own name.
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

  /** Of the oldest line that waits; see SpoolCursor. */
  get oldestBornAtMs(): number | undefined {
    const known = this.#lanes.flatMap(({ cursor }) => cursor.oldestMonotonicMs ?? []);
    return known.length === 0 ? undefined : Math.min(...known);
  }

  /** The newest frame that is not yet acknowledged; -1 when there is none. */
  get newest(): bigint {
    return this.#lanes.reduce((newest, { cursor }) => (newestOf(cursor) > newest ? newestOf(cursor) : newest), -1n);
  }

  /** Whether a frame up to this one is neither taken nor dropped. */
  hasUpTo(goal: bigint): boolean {
    return this.#lanes.some(({ cursor: { oldest } }) => oldest !== undefined && oldest <= goal);
  }

  /** Whether its lines are those of the present. Those of the live lane are not when it has a backlog before them. */
  isPresent(lane: Lane): boolean {
    return lane === this.#newestFirst || (lane === this.#live && lane.name !== this.#newestFirst?.name);
  }

  /**
   * What is there becomes a backlog. What was appended after this moment, in milliseconds since the epoch, does not wait for
   * it, nor does what comes from now on: in a lane of its own if one is free.
   */
  startNewLane(sinceMs: number): void {
    this.#newestFirst = new NewestFirstLane(this.#live, sinceMs);
    const free = this.#lanes.find(({ isEmpty }) => isEmpty);
    free?.alreadySent.clear();
    this.#live = free ?? this.#live;
  }

  /** It would go too fast before this. One pace is for all backlogs together. */
  pace(lane: Lane, untilMs: number): void {
    const paced = this.isPresent(lane) ? [lane] : this.#lanes.filter((other) => !this.isPresent(other));
    for (const each of paced) each.pacedUntilMs = untilMs;
  }

  /** The target takes lines: a lane that was in doubt of it may go on. */
  targetAccepts(): void {
    for (const lane of this.#inOrder())
      if (lane.search?.targetAccepts() === true) lane.retryAtMs = Number.NEGATIVE_INFINITY;
  }

  /** There is a reason to try again at once. */
  retryNow(): void {
    for (const lane of this.#inOrder()) lane.retryAtMs = Number.NEGATIVE_INFINITY;
  }

  /** What was found out about the target does not hold any more, what is being tried begins anew. */
  reset(): void {
    for (const lane of this.#inOrder()) {
      lane.search = undefined;
      lane.clearSuspicion();
    }
    this.retryNow();
  }

  /** The lane whose turn it is, and in how many milliseconds; undefined when all are empty. */
  next(schedule: Schedule): { readonly lane: Lane; readonly inMs: number } | undefined {
    // There is no backlog any more.
    if (this.#newestFirst?.isEmpty === true) this.#newestFirst = undefined;
    const waiting = this.#inOrder()
      .filter(({ isEmpty }) => !isEmpty)
      .map((lane) => ({ lane, inMs: Math.max(0, this.#dueMs(lane, schedule) - schedule.nowMs) }));
    return waiting.reduce<(typeof waiting)[number] | undefined>(
      (soonest, other) => (soonest === undefined || other.inMs < soonest.inMs ? other : soonest),
      undefined,
    );
  }

  /** Resolves when a lane that was empty is not any more, or when the signal aborts; it must, in the end. */
  async filled(signal: AbortSignal): Promise<void> {
    await Promise.race(this.#lanes.filter(({ isEmpty }) => isEmpty).map(({ cursor }) => cursor.ready(signal)));
  }

  /** The present first, then the oldest. */
  #inOrder(): readonly Lane[] {
    const lanes = this.#lanes.toSorted((one, other) => (newestOf(one.cursor) < newestOf(other.cursor) ? -1 : 1));
    const ahead = this.#newestFirst === undefined ? [] : [this.#newestFirst];
    const present = lanes.filter((lane) => this.isPresent(lane));
    return [...ahead, ...present, ...lanes.filter((lane) => !this.isPresent(lane))];
  }

  #dueMs(lane: Lane, { nowMs, fullLines, intervalMs, draining }: Schedule): number {
    // An append may be under way that began when this lane was the live one.
    if (lane === this.#newestFirst && !lane.fills(1)) return nowMs + intervalMs;
    if (lane === this.#newestFirst || draining || lane.search !== undefined) return lane.retryAtMs;
    const gathers = this.isPresent(lane) && !lane.fills(fullLines);
    const gatheredMs = gathers ? lane.lastSentMs + intervalMs : Number.NEGATIVE_INFINITY;
    return Math.max(lane.retryAtMs, lane.pacedUntilMs, gatheredMs);
  }
}

function newestOf({ newest }: SpoolCursor): bigint {
  return newest ?? -1n;
}
