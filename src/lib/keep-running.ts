import { isAborted } from "./abort.ts";
import { backoffMs } from "./backoff.ts";
import type { Clock } from "./clock.ts";

const BACKOFF = { baseMs: 1_000, capMs: 60_000 };
/** A loop that has run for this long had recovered. */
const RECOVERED_MS = 300_000;

export interface KeepRunningOptions {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Called with what the loop threw. */
  readonly failed: (error: unknown) => void;
}

/**
 * Runs a loop until it returns or the signal aborts. Never rejects: a loop that throws, which is a bug of this program, is
 * reported and started again after a backoff. Otherwise one unexpected answer could end configuration or reports for good.
 */
export async function keepRunning(
  loop: () => Promise<void>,
  { clock, signal, failed }: KeepRunningOptions,
): Promise<void> {
  for (let failures = 0; ; failures++) {
    const begunMs = clock.monotonic();
    try {
      await loop();
      return;
    } catch (error) {
      if (isAborted(signal)) return;
      failed(error);
    }
    if (clock.monotonic() - begunMs >= RECOVERED_MS) failures = 0;
    await clock.sleep(backoffMs(failures, BACKOFF), signal);
    if (isAborted(signal)) return;
  }
}
