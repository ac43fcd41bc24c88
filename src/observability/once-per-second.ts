import type { Clock } from "../lib/clock.ts";

/** What is made for readers is shared for this time. */
export const SHARED_MS = 1_000;

/**
 * Returns a function that calls `make` at most once a second, whatever the number of readers. The calls between get the last
 * result, or the last error.
 */
export function oncePerSecond<T>(clock: Pick<Clock, "monotonic">, make: () => T): () => T {
  let madeMs = Number.NEGATIVE_INFINITY;
  let result: () => T = make;
  return () => {
    const nowMs = clock.monotonic();
    if (nowMs - madeMs >= SHARED_MS) {
      madeMs = nowMs;
      result = outcomeOf(make);
    }
    return result();
  };
}

function outcomeOf<T>(make: () => T): () => T {
  try {
    const value = make();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
