import type { Clock } from "../lib/clock.ts";

/**
 * Runs a cycle at start + k * interval without drift and without overlap. Ticks that pass while a cycle still runs, or
 * while the machine sleeps, are skipped and counted.
 */
export class Ticker {
  readonly #clock: Clock;
  #intervalMs: number;
  #due: number;
  #skipped = 0;

  constructor(intervalMs: number, clock: Clock) {
    this.#clock = clock;
    this.#intervalMs = intervalMs;
    this.#due = clock.monotonic();
  }

  get skipped(): number {
    return this.#skipped;
  }

  /** A new interval counts from the tick that was last due. */
  set intervalMs(intervalMs: number) {
    if (intervalMs === this.#intervalMs) return;
    this.#due += intervalMs - this.#intervalMs;
    this.#intervalMs = intervalMs;
  }

  /** The next tick is due at once. */
  restart(): void {
    this.#due = this.#clock.monotonic();
  }

  /** Resolves at the next tick (the first is due at once), or when the signal aborts. */
  async next(signal: AbortSignal): Promise<void> {
    await this.#clock.sleep(Math.max(0, this.#due - this.#clock.monotonic()), signal);
    const late = Math.max(0, this.#clock.monotonic() - this.#due);
    const missed = Math.floor(late / this.#intervalMs);
    this.#skipped += missed;
    this.#due += (missed + 1) * this.#intervalMs;
  }
}
