import type { Clock } from "./clock.ts";

const MINUTE_MS = 60_000;
/** Names of groups are ours, so there are few. A text of a stranger that became a name must not fill memory. */
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
  readonly #all: Allowance;
  readonly #groups = new Map<string, Allowance>();
  #leftOut = new Map<string, number>();

  constructor(options: LineBudgetOptions) {
    this.#options = options;
    this.#all = new Allowance(options.perMinute, options.clock.monotonic());
  }

  /** Returns whether a line may be written. The first line of a group in a minute always may. */
  allows(name: string): boolean {
    const now = this.#options.clock.monotonic();
    const group = this.#groups.has(name) || this.#groups.size < MAX_GROUPS ? name : OTHER;
    const known = this.#groups.get(group);
    const allowance = known ?? new Allowance(this.#options.perGroup, now);
    if (known === undefined) this.#groups.set(group, allowance);
    const isFirst = now - allowance.lastMs >= MINUTE_MS;
    if (!isFirst && !(allowance.has(now) && this.#all.has(now))) {
      this.#leftOut.set(group, (this.#leftOut.get(group) ?? 0) + 1);
      return false;
    }
    allowance.take(now);
    this.#all.take(now);
    return true;
  }

  /** Returns the number of lines of each group that were left out since the last call. */
  takeLeftOut(): ReadonlyMap<string, number> {
    const leftOut = this.#leftOut;
    this.#leftOut = new Map();
    return leftOut;
  }
}

/** A token bucket: half of the lines of a minute may come at once, the others evenly over the minute. */
class Allowance {
  readonly #burst: number;
  #left: number;
  #filledMs: number;
  /** When a line was last taken. */
  lastMs = Number.NEGATIVE_INFINITY;

  constructor(perMinute: number, nowMs: number) {
    this.#burst = perMinute / 2;
    this.#left = this.#burst;
    this.#filledMs = nowMs;
  }

  has(nowMs: number): boolean {
    this.#left = Math.min(this.#burst, this.#left + (this.#burst * (nowMs - this.#filledMs)) / MINUTE_MS);
    this.#filledMs = nowMs;
    return this.#left >= 1;
  }

  take(nowMs: number): void {
    this.#left = Math.max(0, this.#left - 1);
    this.lastMs = nowMs;
  }
}
