import type { Clock } from "./clock.ts";

/** A timer of the system may end a millisecond early, which must not make one more round. */
const MARGIN_MS = 2;

/**
 * Returns the milliseconds until the next round of periodic work. Its rounds are at the multiples of its period, so work with the
 * same period, or a multiple of it, shares a wake of the process. In an idle process a wake costs more than the work.
 */
export function msToNextRound(periodMs: number, clock: Clock): number {
  return Math.floor(periodMs - (clock.monotonic() % periodMs)) + MARGIN_MS;
}
