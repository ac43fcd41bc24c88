import type { Family } from "../contract.ts";

/** Families that are not collected in every cycle. */
export interface FamilySchedule {
  readonly families: readonly Family[];
  /** They are collected once in this number of cycles. */
  readonly cycles: number;
}

/** Decides which families each cycle collects. All are due in the first one. */
export class Schedule {
  readonly #families: readonly Family[];
  readonly #periods: { readonly families: readonly Family[]; readonly cycles: number; last: number }[];

  constructor(families: readonly Family[] = [], schedules: readonly FamilySchedule[] = []) {
    this.#families = families;
    this.#periods = schedules.map((schedule) => ({ ...schedule, last: Number.NEGATIVE_INFINITY }));
  }

  /**
   * Returns the families of a tick, or undefined if every tick has all. `tick` counts from 0, with the ticks that were
   * skipped: a family whose tick was skipped is due in the next one.
   */
  due(tick: number): ReadonlySet<Family> | undefined {
    if (this.#periods.length === 0) return undefined;
    const due = new Set(this.#families);
    for (const period of this.#periods) {
      const current = Math.floor(tick / period.cycles);
      if (current === period.last) for (const family of period.families) due.delete(family);
      else period.last = current;
    }
    return due;
  }
}
