import { BurstLimit } from "./burst-limit.ts";
import type { Clock } from "./clock.ts";

const MINUTE_MS = 60_000;
/** The agent chooses the names of groups, so there are few. A foreign text that became a name must not fill memory. */
const MAX_GROUPS = 200;
const OTHER = "other";

export interface LineBudgetOptions {
  /** Lines of all groups in a minute. Half of them may come at once. */
  readonly perMinute: number;
  /** Lines of one group in a minute, so that one group leaves room for the others. */
  readonly perGroup: number;
  readonly clock: Pick<Clock, "monotonic">;
}

/** Allows a number of lines a minute, and counts those that it does not allow. Lines belong to groups, such as error codes. */
export class LineBudget {
  readonly #options: LineBudgetOptions;
  readonly #all: BurstLimit;
  readonly #groups = new Map<string, Group>();
  #leftOut = new Map<string, number>();

  constructor(options: LineBudgetOptions) {
    this.#options = options;
    this.#all = this.#limitOf(options.perMinute);
  }

  /** Returns whether a line may be written. The first line of a group in a minute always may. */
  allows(name: string): boolean {
    const now = this.#options.clock.monotonic();
    const [key, group] = this.#groupOf(name, now);
    const isFirst = now - group.writtenMs >= MINUTE_MS;
    const isWithin = now >= group.limit.nextMs && now >= this.#all.nextMs;
    if (!isFirst && !isWithin) {
      this.#leftOut.set(key, (this.#leftOut.get(key) ?? 0) + 1);
      return false;
    }
    // A first line does not count where it has no room.
    group.limit.allows();
    this.#all.allows();
    group.writtenMs = now;
    return true;
  }

  /** Returns the number of lines of each group that were left out since the last call. */
  takeLeftOut(): ReadonlyMap<string, number> {
    const leftOut = this.#leftOut;
    this.#leftOut = new Map();
    return leftOut;
  }

  #groupOf(name: string, now: number): readonly [string, Group] {
    const known = this.#groups.get(name);
    if (known !== undefined) return [name, known];
    // A group without a line for a minute is as good as new.
    if (this.#groups.size >= MAX_GROUPS)
      for (const [key, { writtenMs }] of this.#groups) if (now - writtenMs >= MINUTE_MS) this.#groups.delete(key);
    const key = this.#groups.size < MAX_GROUPS ? name : OTHER;
    const group = this.#groups.get(key) ?? {
      limit: this.#limitOf(this.#options.perGroup),
      writtenMs: Number.NEGATIVE_INFINITY,
    };
    this.#groups.set(key, group);
    return [key, group];
  }

  /** Half of the lines of a minute may come at once, the others evenly over the minute. */
  #limitOf(perMinute: number): BurstLimit {
    const burst = perMinute / 2;
    return new BurstLimit({ burst, periodMs: MINUTE_MS / burst }, this.#options.clock);
  }
}

interface Group {
  readonly limit: BurstLimit;
  /** When a line was last written. */
  writtenMs: number;
}
