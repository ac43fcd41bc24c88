import type { Clock } from "../../lib/clock.ts";
import { backoffMs } from "../../lib/backoff.ts";

/** Failures that are tried again at the very next tick: a daemon that restarts is back within seconds. */
const FREE_FAILURES = 3;
const BACKOFF = { baseMs: 5_000, capMs: 60_000 };

/** Keeps a dead endpoint from being asked at every tick. */
export class CircuitBreaker {
  readonly #clock: Clock;
  readonly #random: () => number;
  #failures = 0;
  #closedAt = 0;

  constructor(clock: Clock, random: () => number = Math.random) {
    this.#clock = clock;
    this.#random = random;
  }

  get allows(): boolean {
    return this.#clock.monotonic() >= this.#closedAt;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#closedAt = 0;
  }

  failed(): void {
    const beyond = this.#failures++ - FREE_FAILURES;
    if (beyond >= 0) this.#closedAt = this.#clock.monotonic() + backoffMs(beyond, BACKOFF, this.#random);
  }
}
