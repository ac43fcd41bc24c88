import type { Clock } from "../../lib/clock.ts";
import { backoffMs } from "../../lib/backoff.ts";

/** Failures after which the next tick retries, because a daemon that restarts is back within seconds. */
const IMMEDIATE_RETRIES = 3;
const BACKOFF = { baseMs: 5_000, capMs: 60_000 };
/** Delays after a launcher exceeded its budget. An attempt costs much before its limit is reached, so even the first delay is long. */
const REJECTION_DELAYS_MS = [60_000, 120_000, 300_000];

/** Limits how often the agent calls a daemon that has failed. */
export class CircuitBreaker {
  readonly #clock: Clock;
  readonly #random: () => number;
  #failures = 0;
  #rejections = 0;
  #retryAtMs = 0;

  constructor(clock: Clock, random: () => number = Math.random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Whether the next attempt is due. */
  get allows(): boolean {
    return this.#clock.monotonic() >= this.#retryAtMs;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#rejections = 0;
    this.#retryAtMs = 0;
  }

  /** Records a failure. While a launcher starts it has none: it is called in every cycle, so that its first sample is in time. */
  failed(): void {
    const retries = this.#failures++ - IMMEDIATE_RETRIES;
    if (retries >= 0) this.#retryAtMs = this.#clock.monotonic() + backoffMs(retries, BACKOFF, this.#random);
  }

  /** Records that the launcher exceeded its budget. */
  rejected(): void {
    const delayMs = REJECTION_DELAYS_MS[this.#rejections++] ?? REJECTION_DELAYS_MS.at(-1) ?? 0;
    this.#retryAtMs = this.#clock.monotonic() + delayMs;
  }
}
