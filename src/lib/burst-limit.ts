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
  readonly #clock: Pick<Clock, "monotonic">;
  /** When the bucket will be full again, on the monotonic clock. */
  #fullAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: BurstOptions, clock: Pick<Clock, "monotonic">) {
    this.#options = options;
    this.#clock = clock;
  }

  /** From when on it is allowed, on the monotonic clock. */
  get nextMs(): number {
    const { burst, periodMs } = this.#options;
    return this.#fullAtMs - (burst - 1) * periodMs;
  }

  /** Returns whether it may happen now. If so, it counts. */
  allows(): boolean {
    if (this.#clock.monotonic() < this.nextMs) return false;
    this.count();
    return true;
  }

  /** Counts what happened without a question. If it was not allowed, it delays what follows. */
  count(): void {
    this.#fullAtMs = Math.max(this.#fullAtMs, this.#clock.monotonic()) + this.#options.periodMs;
  }
}
