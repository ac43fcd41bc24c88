import type { Clock } from "../lib/clock.ts";

export interface TurnRate {
  readonly perSecond: number;
  /** Turns that are available after a pause. */
  readonly burst: number;
}

type Act = () => void;

/** How long a turn of a client counts, in milliseconds. */
const RECENT_MS = 1_000;

/**
 * Hands out a bounded number of turns in a second. Above it clients wait, and the one with the fewest recent turns goes on
 * first: a client that asks rarely, such as the kubelet, does not wait for those that ask all the time.
 */
export class Turns {
  readonly #rate: TurnRate;
  readonly #clock: Clock;
  /** Client -> what waits, the oldest first. */
  readonly #waiting = new Map<string, Set<Act>>();
  /** Client -> number of its recent turns. */
  readonly #recent = new Map<string, number>();
  #recentSinceMs: number;
  #available: number;
  #updatedMs: number;
  #isHandingOut = false;

  constructor(rate: TurnRate, clock: Clock) {
    this.#rate = rate;
    this.#clock = clock;
    this.#available = rate.burst;
    this.#updatedMs = this.#recentSinceMs = clock.monotonic();
  }

  /** Calls `act` at the turn of the client, which may be now. Returns a function that gives the turn up. */
  take(client: string, act: Act): () => void {
    if (this.#waiting.size === 0 && this.#hasTurn()) {
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
        await this.#clock.sleep(1_000 / this.#rate.perSecond);
        this.#handOutAvailable();
      }
    } finally {
      // An exception of one must not end the turns of all.
      this.#isHandingOut = false;
    }
  }

  #handOutAvailable(): void {
    for (let next = this.#next(); next !== undefined && this.#hasTurn(); next = this.#next()) {
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
