export interface BackoffOptions {
  /** Upper bound of the first wait, in milliseconds. */
  readonly baseMs: number;
  /** Upper bound of every wait, in milliseconds. */
  readonly capMs: number;
}

/**
 * Exponential backoff with full jitter: a random wait in [0, min(cap, base * 2^attempt)), in milliseconds.
 * Full jitter spreads a fleet that failed at one moment best; see "Exponential Backoff And Jitter", AWS, 2015.
 */
export function backoffMs(
  attempt: number,
  { baseMs, capMs }: BackoffOptions,
  random: () => number = Math.random,
): number {
  return random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30));
}
