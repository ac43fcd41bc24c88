import type { Frame } from "../spool/spool.ts";

const TIMES_LIVE = 3;
/** Below this no server is in danger, and a small node should have caught up in a moment. */
const LEAST_LINES_PER_SECOND = 1_000;

/**
 * How fast a backlog may be sent, so that one node that catches up does not take the whole server. Without a limit in the
 * settings it is three times the rate at which the lines were once written, which the frames themselves tell.
 */
export class DrainPace {
  #lines = 0;
  #sinceMs: number | undefined;
  #liveLinesPerSecond = 0;

  /** How long `frames` should take, in milliseconds. `limit` is in lines per second, 0 for none of its own. */
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
    // The clock was set back, or a second has passed: begin anew.
    if (this.#sinceMs === undefined || spanMs < 0 || spanMs >= 1000) {
      this.#sinceMs = createdAtMs;
      this.#lines = 0;
    }
    this.#lines += lines;
  }
}
