import { backoffMs } from "../lib/backoff.ts";

const BACKOFF = { baseMs: 500, capMs: 60_000 };
/** Nobody waits a minute for a drain to try again. */
const DRAIN_BACKOFF = { baseMs: 500, capMs: 1_000 };

/** How long to wait before the next try after so many that failed before this one. */
export function retryPauseMs(attempt: number, draining: boolean, random: () => number): number {
  return backoffMs(attempt, draining ? DRAIN_BACKOFF : BACKOFF, random);
}
