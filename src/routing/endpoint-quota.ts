import { hash } from "node:crypto";
import type { LauncherBudget, RejectionReason } from "../budget.ts";
import { BudgetError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { LineQuota, Series } from "../measurement/series.ts";

type Budget = Pick<LauncherBudget, "lines" | "newSeries">;

const HOUR_MS = 3_600_000;

/** Limits what one launcher writes: lines in a cycle, different series in an hour, and its share of the spool. */
export class EndpointQuota implements LineQuota {
  readonly #budget: Budget;
  readonly #clock: Pick<Clock, "monotonic">;
  /** Digests of the series of this hour. A digest is shorter than a series, and a launcher cannot find two series for one. */
  #series = new Set<string>();
  #hourBegan: number;
  /** Series of this hour that were counted before the launcher was gone. */
  #seriesBefore = 0;
  #lines = 0;
  #bytes = 0;
  /** Lines that this cycle left out, by reason. */
  readonly #leftOut = new Map<RejectionReason, number>();
  /** Compressed bytes of its lines in the spool, estimated; `SpoolShares` writes it. */
  spooledBytes = 0;
  /** False while its share of the spool is used up; `SpoolShares` writes it. */
  hasSpoolShare = true;

  constructor(budget: Budget, clock: Pick<Clock, "monotonic">) {
    this.#budget = budget;
    this.#clock = clock;
    this.#hourBegan = clock.monotonic();
  }

  /** Costs two comparisons for a series that was counted in this hour. A line that is left out uses up nothing. */
  admits(series: Series): boolean {
    const reason = this.#objection(series);
    if (reason === undefined) this.#lines++;
    else this.#leftOut.set(reason, (this.#leftOut.get(reason) ?? 0) + 1);
    return reason === undefined;
  }

  addBytes(bytes: number): void {
    this.#bytes += bytes;
  }

  /** Returns the bytes of the lines since the last call, before compression. */
  takeBytes(): number {
    const bytes = this.#bytes;
    this.#bytes = 0;
    return bytes;
  }

  /** Ends a cycle of the launcher. Returns the number of lines that it left out, and an error for each reason. */
  endCycle(): { readonly leftOutLines: number; readonly errors: readonly BudgetError[] } {
    this.#lines = 0;
    if (this.isHourOver) this.startHour();
    if (this.#leftOut.size === 0) return NOTHING;
    const leftOutLines = [...this.#leftOut.values()].reduce((sum, lines) => sum + lines, 0);
    const errors = [...this.#leftOut.keys()].map((reason) => new BudgetError(reason, this.#describe(reason)));
    this.#leftOut.clear();
    return { leftOutLines, errors };
  }

  get isHourOver(): boolean {
    return this.#clock.monotonic() - this.#hourBegan >= HOUR_MS;
  }

  /** Keeps only the number of series while the launcher is gone. If it returns within the hour, they count again. */
  pause(): void {
    this.#seriesBefore += this.#series.size;
    this.#series = new Set();
  }

  /** Forgets all series. Those that go on are counted again. */
  startHour(): void {
    this.#series = new Set();
    this.#seriesBefore = 0;
    this.#hourBegan = this.#clock.monotonic();
  }

  /** Returns why a line of this series is left out, and counts the series if it is not. */
  #objection(series: Series): RejectionReason | undefined {
    if (!this.hasSpoolShare) return "SpoolShare";
    if (this.#lines >= this.#budget.lines) return "Lines";
    if (series.countedIn === this.#series) return undefined;
    const digest = hash("sha256", series.text, "base64");
    if (!this.#series.has(digest)) {
      if (this.#seriesBefore + this.#series.size >= this.#budget.newSeries) return "NewSeries";
      this.#series.add(digest);
    }
    series.countedIn = this.#series;
    return undefined;
  }

  /** The text has no number of the launcher, so it is the same in each cycle. */
  #describe(reason: RejectionReason): string {
    const { lines, newSeries } = this.#budget;
    if (reason === "Lines") return `the launcher has more than ${lines} lines in a cycle: the others are left out`;
    if (reason === "NewSeries")
      return `the launcher has more than ${newSeries} different series in an hour: more are left out until the next hour`;
    return "the launcher has used up its share of the spool: its lines are left out until targets have taken others";
  }
}

const NOTHING = { leftOutLines: 0, errors: [] };
