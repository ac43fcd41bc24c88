import type { Clock } from "./clock.ts";

const MAX_CAUSES = 1_000;

/** The same warning is logged at most once in this time. */
export const WARNING_PERIOD_MS = 300_000;

/** Allows each cause once per period, so that a permanent fault does not flood the log. */
export class RateLimit {
  readonly #periodMs: number;
  readonly #clock: Clock;
  readonly #last = new Map<string, number>();

  constructor(periodMs: number, clock: Clock) {
    this.#periodMs = periodMs;
    this.#clock = clock;
  }

  allows(cause: string): boolean {
    const now = this.#clock.monotonic();
    const last = this.#last.get(cause);
    if (last !== undefined && now - last < this.#periodMs) return false;
    if (this.#last.size >= MAX_CAUSES) this.#last.clear();
    this.#last.set(cause, now);
    return true;
  }
}
