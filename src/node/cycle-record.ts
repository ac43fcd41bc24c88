import type { Clock } from "../lib/clock.ts";
import { Histogram } from "../lib/histogram.ts";
import type { CycleView } from "../observability/agent-view.ts";

/** A tick is late by no more than this, whatever the spool and the targets do. */
const GRACE_MS = 60_000;

/** Keeps count of the cycles, and of whether they go on. */
export class CycleRecord {
  readonly durations = new Histogram([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]);
  readonly #clock: Clock;
  #incomplete = 0;
  #progressMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The work has come to a tick, or still waits for a configuration. */
  progress(): void {
    this.#progressMs = this.#clock.monotonic();
  }

  done(durationMs: number, complete: boolean): void {
    this.durations.observe(durationMs / 1000);
    if (!complete) this.#incomplete++;
  }

  /** `intervalMs` is the longest that may be in force now or at the next tick. */
  view(skippedTicks: number, intervalMs: number): CycleView {
    return {
      cycles: this.durations.count,
      incomplete: this.#incomplete,
      skippedTicks,
      durations: this.durations,
      progressMs: this.#progressMs,
      // A cycle may take as long as to the next tick, and that is then skipped.
      patienceMs: 2 * intervalMs + GRACE_MS,
    };
  }
}
