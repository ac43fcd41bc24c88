import type { Clock } from "./clock.ts";

export interface BurstOptions {
  /** How often something may happen at once. */
  readonly burst: number;
  /** Later it may happen once in this time, in milliseconds. */
  readonly periodMs: number;
}

/** Allows a burst, and then a constant rate: a token bucket. */
export class BurstLimit {
  readonly #options: BurstOptions;
  readonly #clock: Clock;
  /** When the bucket will be full again, on the monotonic clock. */
  #fullAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: BurstOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** Returns whether it may happen now. If so, it counts. */
  allows(): boolean {
    const { burst, periodMs } = this.#options;
    const now = this.#clock.monotonic();
    const fullAtMs = Math.max(this.#fullAtMs, now) + periodMs;
    if (fullAtMs > now + burst * periodMs) return false;
    this.#fullAtMs = fullAtMs;
    return true;
  }
}
