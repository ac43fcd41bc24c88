import type { Clock } from "../../lib/clock.ts";
import { backoffMs } from "../../lib/backoff.ts";

/** Failures that are tried again at the very next tick: a daemon that restarts is back within seconds. */
const IMMEDIATE_RETRIES = 3;
const BACKOFF = { baseMs: 5_000, capMs: 60_000 };

/** Keeps a dead endpoint from being asked at every tick. */
export class CircuitBreaker {
  readonly #clock: Clock;
  readonly #random: () => number;
  #failures = 0;
  #retryAtMs = 0;

  constructor(clock: Clock, random: () => number = Math.random) {
    this.#clock = clock;
    this.#random = random;
  }

  get allows(): boolean {
    return this.#clock.monotonic() >= this.#retryAtMs;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#retryAtMs = 0;
  }

  failed(): void {
    const beyond = this.#failures++ - IMMEDIATE_RETRIES;
    if (beyond >= 0) this.#retryAtMs = this.#clock.monotonic() + backoffMs(beyond, BACKOFF, this.#random);
  }
}
