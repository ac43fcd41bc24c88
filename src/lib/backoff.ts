export interface BackoffOptions {
  /** Upper bound of the first delay, in milliseconds. */
  readonly baseMs: number;
  /** Upper bound of every delay, in milliseconds. */
  readonly capMs: number;
}

/**
 * Returns the delay before retry number `attempt`, from 0, in milliseconds: exponential backoff with full jitter, a random
 * value in [0, min(cap, base * 2^attempt)). Full jitter best spreads the retries of agents that failed at the same moment; see
 * "Exponential Backoff And Jitter", AWS, 2015.
 */
export function backoffMs(
  attempt: number,
  { baseMs, capMs }: BackoffOptions,
  random: () => number = Math.random,
): number {
  return random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
}
