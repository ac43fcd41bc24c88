import type { Frame } from "../spool/spool.ts";

/** Multiple of the rate at which the lines were written. */
const TIMES_LIVE = 3;
/** A server is not overloaded at this rate, and a small node catches up quickly. */
const LEAST_LINES_PER_SECOND = 1_000;

/**
 * The pace of a backlog, so that nodes that catch up do not overload the server. Without a limit in the settings it is three
 * times the rate at which the lines were written, which is learned from the frames.
 */
export class DrainPace {
  #lines = 0;
  #sinceMs: number | undefined;
  #liveLinesPerSecond = 0;

  /** Returns how long sending `frames` should take, in milliseconds. `limit` is in lines per second, or 0 without a limit. */
  durationMs(frames: readonly Frame[], limit: number): number {
    let lines = 0;
    for (const frame of frames) {
      lines += frame.lines;
      this.#learn(frame);
    }
    const rate = limit > 0 ? limit : Math.max(TIMES_LIVE * this.#liveLinesPerSecond, LEAST_LINES_PER_SECOND);
    return (lines / rate) * 1000;
  }

  #learn({ createdAtMs, lines }: Frame): void {
    const spanMs = createdAtMs - (this.#sinceMs ?? createdAtMs);
    if (spanMs >= 1000) this.#liveLinesPerSecond = (this.#lines / spanMs) * 1000;
    // Start a new measurement after each second, or after the clock was set back.
    if (this.#sinceMs === undefined || spanMs < 0 || spanMs >= 1000) {
      this.#sinceMs = createdAtMs;
      this.#lines = 0;
    }
    this.#lines += lines;
  }
}
