import type { WakeSignal } from "./waker.ts";

/** The source of time. Tests pass in their own. */
export interface Clock {
  /** The wall clock: whole milliseconds since the epoch. */
  now(): number;
  /** A clock that never steps, for durations and deadlines; in milliseconds. */
  monotonic(): number;
  /** Resolves after `ms`, at most 24 days, or at once (without error) when the signal aborts. */
  sleep(ms: number, signal?: WakeSignal): Promise<void>;
}

/** Longest delay of a timer. Node fires a longer one at once, so a loop would take a core. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      if (signal?.aborted) {
        resolve();
        return;
      }
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", done);
        resolve();
      };
      const timer = setTimeout(done, Math.min(ms, MAX_TIMER_MS));
      signal?.addEventListener("abort", done, { once: true });
    }),
};
