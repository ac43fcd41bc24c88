import { BurstLimit, type BurstOptions } from "../lib/burst-limit.ts";
import type { Clock } from "../lib/clock.ts";

type Act = () => void;

/** How long a turn of a client counts, in milliseconds. */
const RECENT_MS = 1_000;

/**
 * Hands out turns at a bounded rate, after a burst. Above it clients wait, and the one with the fewest recent turns goes on
 * first: a client that asks rarely, such as the kubelet, does not wait for those that ask all the time.
 */
export class Turns {
  readonly #periodMs: number;
  readonly #limit: BurstLimit;
  readonly #clock: Clock;
  /** Client -> what waits, the oldest first. */
  readonly #waiting = new Map<string, Set<Act>>();
  /** Client -> number of its recent turns. */
  readonly #recent = new Map<string, number>();
  #recentSinceMs: number;
  #isHandingOut = false;

  constructor(rate: BurstOptions, clock: Clock) {
    this.#periodMs = rate.periodMs;
    this.#limit = new BurstLimit(rate, clock);
    this.#clock = clock;
    this.#recentSinceMs = clock.monotonic();
  }

  /** Calls `act` at the turn of the client, which may be now. Returns a function that gives the turn up. */
  take(client: string, act: Act): () => void {
    if (this.#waiting.size === 0 && this.#limit.allows()) {
      this.#count(client);
      act();
      return () => undefined;
    }
    const acts = this.#waiting.get(client) ?? new Set();
    this.#waiting.set(client, acts.add(act));
    void this.#handOut();
    return () => {
      this.#remove(client, act);
    };
  }

  async #handOut(): Promise<void> {
    if (this.#isHandingOut) return;
    this.#isHandingOut = true;
    try {
      while (this.#waiting.size > 0) {
        await this.#clock.sleep(this.#periodMs);
        this.#handOutAvailable();
      }
    } finally {
      // An exception of one must not end the turns of all.
      this.#isHandingOut = false;
    }
  }

  #handOutAvailable(): void {
    for (let next = this.#next(); next !== undefined && this.#limit.allows(); next = this.#next()) {
      const [client, act] = next;
      this.#remove(client, act);
      this.#count(client);
      act();
    }
  }

  #next(): readonly [client: string, act: Act] | undefined {
    let next: readonly [client: string, act: Act] | undefined;
    let fewest = Infinity;
    for (const [client, [act]] of this.#waiting) {
      const recent = this.#recent.get(client) ?? 0;
      if (act === undefined || recent >= fewest) continue;
      next = [client, act];
      fewest = recent;
    }
    return next;
  }

  #remove(client: string, act: Act): void {
    const acts = this.#waiting.get(client);
    acts?.delete(act);
    if (acts?.size === 0) this.#waiting.delete(client);
  }

  #count(client: string): void {
    const now = this.#clock.monotonic();
    if (now - this.#recentSinceMs >= RECENT_MS) {
      this.#recent.clear();
      this.#recentSinceMs = now;
    }
    this.#recent.set(client, (this.#recent.get(client) ?? 0) + 1);
  }
}
