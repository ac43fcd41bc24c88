import { once } from "node:events";
import type { Clock } from "./clock.ts";

/** A sleep that can be interrupted. */
export class InterruptibleSleep {
  readonly #clock: Clock;
  #sleeping: AbortController | undefined;
  #interrupted = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ends the current sleep; without one, the next sleep ends before it begins. */
  interrupt(): void {
    this.#interrupted = true;
    this.#sleeping?.abort();
  }

  /** Resolves after `ms` milliseconds or when interrupted; with Infinity only when interrupted. */
  async sleep(ms: number): Promise<void> {
    if (ms > 0 && !this.#interrupted) {
      this.#sleeping = new AbortController();
      const { signal } = this.#sleeping;
      await (ms === Infinity ? once(signal, "abort") : this.#clock.sleep(ms, signal));
      this.#sleeping = undefined;
    }
    if (ms > 0) this.#interrupted = false;
  }
}
