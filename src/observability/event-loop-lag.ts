import { isAborted } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { Histogram } from "../lib/histogram.ts";

/** Two wake-ups a second cost nothing, and what holds the process up for longer does not escape them. */
const PERIOD_MS = 500;

/** How late timers are, in seconds: the time for which this process does nothing else. */
export class EventLoopLag {
  readonly histogram = new Histogram([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]);

  async watch(clock: Clock, signal: AbortSignal): Promise<void> {
    while (!isAborted(signal)) {
      const begun = clock.monotonic();
      await clock.sleep(PERIOD_MS, signal);
      if (!isAborted(signal)) this.histogram.observe(Math.max(0, clock.monotonic() - begun - PERIOD_MS) / 1000);
    }
  }
}
