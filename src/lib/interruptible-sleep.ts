import { once } from "node:events";
import type { Clock } from "./clock.ts";

/** A sleep that can be cut short. A ring while nobody sleeps ends the next sleep before it begins. */
export class InterruptibleSleep {
  readonly #clock: Clock;
  #sleeping: AbortController | undefined;
  #interrupted = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  interrupt(): void {
    this.#interrupted = true;
    this.#sleeping?.abort();
  }

  /** Infinity: until it rings. */
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
