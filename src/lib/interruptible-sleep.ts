import type { Clock } from "./clock.ts";
import { Waker } from "./waker.ts";

/** A sleep that can be interrupted. */
export class InterruptibleSleep {
  readonly #clock: Clock;
  #sleeping: Waker | undefined;
  #interrupted = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Ends the current sleep; without one, the next sleep ends before it begins. */
  interrupt(): void {
    this.#interrupted = true;
    this.#sleeping?.wake();
  }

  /** Resolves after `ms` milliseconds or when interrupted; with Infinity only when interrupted. */
  async sleep(ms: number): Promise<void> {
    if (ms > 0 && !this.#interrupted) {
      const waker = (this.#sleeping = new Waker());
      await (ms === Infinity ? awake(waker) : this.#clock.sleep(ms, waker));
      this.#sleeping = undefined;
    }
    if (ms > 0) this.#interrupted = false;
  }
}

function awake(waker: Waker): Promise<void> {
  return new Promise((resolve) => {
    waker.addEventListener("abort", resolve);
  });
}
