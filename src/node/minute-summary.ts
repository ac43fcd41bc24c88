import type { SourceCycle } from "../collection/source.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../log.ts";
import type { NodeTotals } from "./node-state.ts";

const PERIOD_MS = 60_000;

type Totals = Readonly<Record<keyof NodeTotals | "deliveredLines" | "rejectedLines", number>>;

const ZERO: Totals = {
  cycles: 0,
  failedCycles: 0,
  domains: 0,
  lines: 0,
  deliveredLines: 0,
  rejectedLines: 0,
  skippedTicks: 0,
  droppedLines: 0,
};

/** Logs a summary of the last minute once a minute. */
export class MinuteSummary {
  readonly #log: Logger;
  readonly #clock: Clock;
  /** The totals at the last summary. */
  #before = ZERO;
  #dueMs: number;
  /** Code of an error, or why QEMU did not answer -> how often in this minute. */
  readonly #reasons = new Map<string, number>();
  deliveredLines = 0;
  rejectedLines = 0;

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
    this.#dueMs = clock.monotonic() + PERIOD_MS;
  }

  /** Counts why a cycle is not complete, also for reasons that are not faults and so are not logged by themselves. */
  count({ outcome, errors, tolerated, stuck, busy, slow }: SourceCycle): void {
    if (outcome !== "absent") for (const { code } of [...errors, ...tolerated]) this.#add(code, 1);
    for (const [reason, domains] of Object.entries({ stuck, busy, slow })) this.#add(reason, domains.length);
  }

  ticked(totals: NodeTotals): void {
    if (this.#clock.monotonic() < this.#dueMs) return;
    this.#dueMs = this.#clock.monotonic() + PERIOD_MS;
    const now = { ...ZERO, ...totals, deliveredLines: this.deliveredLines, rejectedLines: this.rejectedLines };
    const before = this.#before;
    const grown = Object.entries(now).map(([name, total]) => [name, total - before[name as keyof Totals]]);
    const reasons = this.#reasons.size > 0 && { reasons: Object.fromEntries(this.#reasons) };
    this.#log.info({ ...Object.fromEntries(grown), domains: totals.domains, ...reasons }, "last minute");
    this.#before = now;
    this.#reasons.clear();
  }

  #add(reason: string, times: number): void {
    if (times > 0) this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + times);
  }
}
