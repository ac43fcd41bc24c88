import type { Clock } from "../lib/clock.ts";
import { Histogram } from "../lib/histogram.ts";
import type { CycleView } from "../observability/agent-view.ts";

/** The maximum delay of a tick, whatever the spool and the targets do. */
const GRACE_MS = 60_000;

/** Counts the cycles, and records whether they progress. */
export class CycleStats {
  readonly durations = new Histogram([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]);
  readonly #clock: Clock;
  #incomplete = 0;
  #lines = 0;
  #progressMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.durations.count;
  }

  get incomplete(): number {
    return this.#incomplete;
  }

  get lines(): number {
    return this.#lines;
  }

  /** Called at each tick, and regularly while the pipeline waits for a configuration. */
  recordProgress(): void {
    this.#progressMs = this.#clock.monotonic();
  }

  record({ durationMs, complete, lines }: { durationMs: number; complete: boolean; lines: number }): void {
    this.durations.observe(durationMs / 1000);
    this.#lines += lines;
    if (!complete) this.#incomplete++;
  }

  /** `intervalMs` is the longest interval that is active now or at the next tick. */
  view(skippedTicks: number, intervalMs: number): CycleView {
    return {
      cycles: this.count,
      incomplete: this.#incomplete,
      skippedTicks,
      durations: this.durations,
      progressMs: this.#progressMs,
      // A cycle may last until the next tick, which is then skipped.
      patienceMs: 2 * intervalMs + GRACE_MS,
    };
  }
}
