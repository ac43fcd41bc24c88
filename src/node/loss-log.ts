import type { RateLimit } from "../lib/rate-limit.ts";
import type { Logger } from "../log.ts";
import type { DropReason, Losses } from "../spool/losses.ts";

const CAUSES: Readonly<Record<DropReason, string>> = {
  cap: "more were queued than buffer.maxMiB allows",
  age: "they were queued for longer than buffer.maxAge",
  disk: "the disk of the spool is too full or fails, or its files were deleted or taken over by another agent",
  corrupt: "they are damaged on the disk of the spool",
};

/** Writes a warning for every loss of queued lines, at most one for each reason in five minutes. */
export class LossLog {
  readonly #log: Logger;
  readonly #warnings: RateLimit;
  /** The counts at the last warning. */
  #logged: Losses = { cap: 0, age: 0, disk: 0, corrupt: 0 };

  constructor(log: Logger, warnings: RateLimit) {
    this.#log = log;
    this.#warnings = warnings;
  }

  /** `losses` counts since the start. `last`: there is no later call, so nothing is held back. */
  dropped(losses: Losses, last = false): void {
    for (const reason of Object.keys(CAUSES) as DropReason[]) {
      const lines = losses[reason] - this.#logged[reason];
      if (lines <= 0 || !(last || this.#warnings.allows(`dropped ${reason}`))) continue;
      this.#logged = { ...this.#logged, [reason]: losses[reason] };
      this.#log.warn({ lines, reason }, `queued lines are lost: ${CAUSES[reason]}`);
    }
  }

  discarded(target: string, lines: number): void {
    if (lines > 0) this.#log.warn({ target, lines }, "queued lines are lost: their target is no longer configured");
  }
}
