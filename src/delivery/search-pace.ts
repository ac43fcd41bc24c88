/** Enough for a few searches: one bad line among 5,000 takes 27 requests, a batch of only bad lines 66. */
const BURST = 100;
const PER_MINUTE = 120;
const INTERVAL_MS = 60_000 / PER_MINUTE;

/**
 * The pace at which all lanes of a target search for bad lines. Without it, a target that rejects requests again and again
 * would make the agent compress and send as fast as it answers. Times are on the monotonic clock.
 */
export class SearchPace {
  /** When the requests so far would be done without a burst. */
  #doneMs = Number.NEGATIVE_INFINITY;

  /** When the next request of a search may be sent. */
  get nextMs(): number {
    return this.#doneMs - BURST * INTERVAL_MS;
  }

  count(nowMs: number): void {
    this.#doneMs = Math.max(this.#doneMs, nowMs) + INTERVAL_MS;
  }
}
