import { once } from "node:events";
import type { Clock } from "./clock.ts";

/** A sleep that can be cut short. A ring while nobody sleeps ends the next sleep before it begins. */
export class Alarm {
  readonly #clock: Clock;
  #sleeping: AbortController | undefined;
  #rung = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  ring(): void {
    this.#rung = true;
    this.#sleeping?.abort();
  }

  /** Infinity: until it rings. */
  async sleep(ms: number): Promise<void> {
    if (ms > 0 && !this.#rung) {
      this.#sleeping = new AbortController();
      const { signal } = this.#sleeping;
      await (ms === Infinity ? once(signal, "abort") : this.#clock.sleep(ms, signal));
      this.#sleeping = undefined;
    }
    if (ms > 0) this.#rung = false;
  }
}
