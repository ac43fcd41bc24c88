import type { Clock } from "../lib/clock.ts";

export interface TurnRate {
  readonly perSecond: number;
  /** Turns that are available after a pause. */
  readonly burst: number;
}

/** Hands out a bounded number of turns in a second. Further ones wait and get theirs in order. */
export class Turns {
  readonly #rate: TurnRate;
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #available: number;
  #updatedMs: number;
  #isHandingOut = false;

  constructor(rate: TurnRate, clock: Clock) {
    this.#rate = rate;
    this.#clock = clock;
    this.#available = rate.burst;
    this.#updatedMs = clock.monotonic();
  }

  /** Calls `act` at its turn, which may be now. Returns a function that gives the turn up. */
  take(act: () => void): () => void {
    if (this.#waiting.size === 0 && this.#hasTurn()) {
      act();
      return () => undefined;
    }
    this.#waiting.add(act);
    if (!this.#isHandingOut) void this.#handOut();
    return () => {
      this.#waiting.delete(act);
    };
  }

  async #handOut(): Promise<void> {
    this.#isHandingOut = true;
    try {
      while (this.#waiting.size > 0) {
        await this.#clock.sleep(1_000 / this.#rate.perSecond);
        for (const act of this.#waiting) {
          if (!this.#hasTurn()) break;
          this.#waiting.delete(act);
          act();
        }
      }
    } finally {
      // An exception of one must not end the turns of all.
      this.#isHandingOut = false;
    }
  }

  /** Returns whether there is a turn, and takes it. */
  #hasTurn(): boolean {
    const now = this.#clock.monotonic();
    const { perSecond, burst } = this.#rate;
    this.#available = Math.min(burst, this.#available + ((now - this.#updatedMs) * perSecond) / 1_000);
    this.#updatedMs = now;
    if (this.#available < 1) return false;
    this.#available--;
    return true;
  }
}
