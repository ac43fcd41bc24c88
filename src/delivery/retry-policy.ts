import { backoffMs } from "../lib/backoff.ts";

const BACKOFF = { baseMs: 500, capMs: 60_000 };
/** A drain at the end of the process has little time, so it retries sooner. */
const DRAIN_BACKOFF = { baseMs: 500, capMs: 1_000 };
/** Spreads the nodes that a server told to retry at the same moment. */
const RETRY_AFTER_JITTER = 0.1;

/** Delays between the requests to a target that fails, in milliseconds. */
export class RetryPolicy {
  /** A drain is running: delays are short. */
  draining = false;
  readonly #random: () => number;
  #failures = 0;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** Returns the delay before retry number `attempt`, which counts from 0. */
  delayMs(attempt: number): number {
    return backoffMs(attempt, this.draining ? DRAIN_BACKOFF : BACKOFF, this.#random);
  }

  /** Counts a failure of the target and returns the delay before the next request, at least `afterMs`. */
  failed(afterMs = 0): number {
    const delayMs = this.delayMs(this.#failures++);
    return Math.max(delayMs, afterMs * (1 + RETRY_AFTER_JITTER * this.#random()));
  }

  /** Starts again with the shortest delay. */
  reset(): void {
    this.#failures = 0;
  }
}
