import { isAborted } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { Waker } from "../lib/waker.ts";

/**
 * Runs a cycle at start + k * interval without drift and without overlap. Ticks that pass while a cycle still runs, or
 * while the machine sleeps, are skipped and counted.
 */
export class Ticker {
  readonly #clock: Clock;
  #intervalMs: number;
  #due: number;
  #skipped = 0;
  /** Ends the wait for the next tick when the interval changes. */
  #waker = new Waker();

  constructor(intervalMs: number, clock: Clock) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#due = clock.monotonic();
  }

  get skipped(): number {
    return this.#skipped;
  }

  /** A new interval counts from the last tick, even during a wait. */
  set intervalMs(intervalMs: number) {
    if (intervalMs === this.#intervalMs) return;
    this.#due = Math.max(this.#due + intervalMs - this.#intervalMs, this.#clock.monotonic());
    this.#intervalMs = intervalMs;
    this.#waker.wake();
  }

  /** Makes the next tick due at once. */
  restart(): void {
    this.#due = this.#clock.monotonic();
  }

  /** Resolves at the next tick (the first is due at once), or when the signal aborts. */
  async next(signal: AbortSignal): Promise<void> {
    await this.#wait(signal);
    const late = Math.max(0, this.#clock.monotonic() - this.#due);
    const missed = Math.floor(late / this.#intervalMs);
    this.#skipped += missed;
    this.#due += (missed + 1) * this.#intervalMs;
  }

  async #wait(signal: AbortSignal): Promise<void> {
    const end = (): void => {
      this.#waker.wake();
    };
    signal.addEventListener("abort", end);
    for (;;) {
      const leftMs = this.#due - this.#clock.monotonic();
      if (isAborted(signal) || leftMs <= 0) break;
      this.#waker = new Waker();
      await this.#clock.sleep(leftMs, this.#waker);
    }
    signal.removeEventListener("abort", end);
  }
}
