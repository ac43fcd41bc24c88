import type { Clock } from "./clock.ts";

/** A smaller change is a correction of the clock, as time servers make them. */
const MIN_JUMP_MS = 60_000;

/** Finds jumps of the wall clock: it is compared with the time that passes. */
export class ClockJumps {
  readonly #clock: Clock;
  #offsetMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offsetMs = clock.now() - clock.monotonic();
  }

  /** Returns by how many milliseconds the wall clock has jumped since the last call, back if negative; 0 without a jump. */
  take(): number {
    const before = this.#offsetMs;
    this.#offsetMs = this.#clock.now() - this.#clock.monotonic();
    const jumpMs = Math.round(this.#offsetMs - before);
    return Math.abs(jumpMs) > MIN_JUMP_MS ? jumpMs : 0;
  }
}
