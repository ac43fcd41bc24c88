import type { Clock } from "./clock.ts";

const MAX_CAUSES = 10_000;

/** The same warning is logged at most once in this time. */
export const WARNING_PERIOD_MS = 300_000;

/**
 * Allows each cause once per period, or a few times, so that a permanent fault does not flood the log. A cause consists
 * of places and codes, never of foreign text: a text that is new each time would be allowed each time.
 */
export class RateLimit {
  readonly #periodMs: number;
  readonly #clock: Clock;
  readonly #times: number;
  /** Cause -> when its period began, and how often it was allowed since. The oldest period is first. */
  readonly #causes = new Map<string, { readonly beganMs: number; count: number }>();

  constructor(periodMs: number, clock: Clock, times = 1) {
    this.#periodMs = periodMs;
    this.#clock = clock;
    this.#times = times;
  }

  /** A new cause is not allowed while 10,000 others are in their periods: forgetting one would allow it again too early. */
  allows(cause: string): boolean {
    const now = this.#clock.monotonic();
    for (const [known, { beganMs }] of this.#causes) {
      if (now - beganMs < this.#periodMs) break;
      this.#causes.delete(known);
    }
    const known = this.#causes.get(cause);
    if (known === undefined) {
      if (this.#causes.size >= MAX_CAUSES) return false;
      this.#causes.set(cause, { beganMs: now, count: 1 });
      return true;
    }
    if (known.count >= this.#times) return false;
    known.count++;
    return true;
  }
}
