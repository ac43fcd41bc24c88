import type { Family } from "../contract.ts";

/** Families that are not collected in every cycle. */
export interface FamilySchedule {
  readonly families: readonly Family[];
  /** They are collected once in this number of cycles. */
  readonly cycles: number;
}

const NOTHING: ReadonlySet<Family> = new Set();

/** Decides which families each cycle collects. All are due in the first one, and in the first one of each endpoint. */
export class Schedule {
  readonly #families: ReadonlySet<Family>;
  /** Endpoint -> the families that were due in cycles that did not collect them. */
  readonly #missed = new Map<string, ReadonlySet<Family>>();
  readonly #periods: { readonly families: readonly Family[]; readonly cycles: number; last: number }[];

  constructor(families: readonly Family[] = [], schedules: readonly FamilySchedule[] = []) {
    this.#families = new Set(families);
    this.#periods = schedules.map((schedule) => ({ ...schedule, last: Number.NEGATIVE_INFINITY }));
  }

  /**
   * Returns the families of a tick, or undefined if every tick has all. `tick` counts from 0, with the ticks that were
   * skipped: a family is due in the next tick if its own was skipped.
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

  /** Returns the families of an endpoint: those that are due in this tick, and those that it missed. */
  dueOf(endpoint: string, due: ReadonlySet<Family> | undefined): ReadonlySet<Family> | undefined {
    if (due === undefined) return undefined;
    const missed = this.#missed.get(endpoint) ?? this.#families;
    return missed.size === 0 ? due : due.union(missed);
  }

  /** Records whether a cycle has collected these families of an endpoint. */
  record(endpoint: string, families: ReadonlySet<Family> | undefined, isCollected: boolean): void {
    if (families !== undefined) this.#missed.set(endpoint, isCollected ? NOTHING : families);
  }

  /** Forgets all other endpoints. */
  retain(endpoints: ReadonlySet<string>): void {
    for (const endpoint of this.#missed.keys()) if (!endpoints.has(endpoint)) this.#missed.delete(endpoint);
  }
}
