/** The requests of a few searches: one bad line among 5,000 takes 27, a batch of only bad lines 66. */
const BURST = 200;
const PER_MINUTE = 300;
const INTERVAL_MS = 60_000 / PER_MINUTE;

/**
 * The pace of the requests that search for bad lines, of all lanes of a target. Without it, a target that rejects requests
 * again and again would make the agent compress and send as fast as the target answers.
 */
export class SearchPace {
  /** When the requests so far would be done at the constant pace. */
  #doneMs = Number.NEGATIVE_INFINITY;

  /** Counts a request and returns when the next one may be sent. Both times are on the monotonic clock. */
  next(nowMs: number): number {
    this.#doneMs = Math.max(this.#doneMs, nowMs) + INTERVAL_MS;
    return this.#doneMs - BURST * INTERVAL_MS;
  }
}
