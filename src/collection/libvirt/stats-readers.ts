import type { LibvirtClient } from "../../libvirt/client.ts";
import { domainKey, retainDomains } from "../../discovery/domain-name.ts";
import type { CallOptions, DomainRef } from "../../libvirt/types.ts";
import type { ReaderInput, StatsNeed, StatsReader } from "../stats-needs.ts";
import { LATE_GROUPS } from "./blocked-calls.ts";
import type { BudgetChecks } from "./budget-checks.ts";
import { RunStarts } from "./run-starts.ts";
import { undefinedIfRejected } from "./basic-info.ts";

/** Returns the groups of the bulk call that serve all these needs, a mask of STATS_GROUP. */
export function statsGroups(needs: readonly StatsNeed[], cpuTimesKnown: boolean): number {
  return needs.reduce(
    (groups, need) => (need.unlessCpuTimes === true && cpuTimesKnown ? groups : groups | need.groups),
    0,
  );
}

/** Returns whether these needs show if QEMU answers. Of all statistics only those of disks and of the balloon do. */
export function knowsAnswers(needs: readonly StatsNeed[]): boolean {
  return (statsGroups(needs, true) & LATE_GROUPS) !== 0;
}

/** Returns the needs that have a value of their own. */
export function readersOf(needs: readonly StatsNeed[]): readonly StatsReader<unknown>[] {
  return needs.filter((need): need is StatsReader<unknown> => "read" in need);
}

/** Returns the readers of a cycle that collects `needs` of `all`. */
export function readersOfCycle(needs: readonly StatsNeed[], all: readonly StatsNeed[]): ReturnType<typeof readersOf> {
  if (needs === all) return readersOf(needs);
  const others = readersOf(all).filter((reader) => reader.everyCycle === true && !needs.includes(reader));
  return [...readersOf(needs), ...others];
}

export interface ReadingOptions extends Omit<ReaderInput, "answer" | "startedS"> {
  /** Makes a call that does not wait for QEMU. */
  readonly call: <Answer>(ask: (session: LibvirtClient, options: CallOptions) => Promise<Answer>) => Promise<Answer>;
  /** Called with the error of a call that has no answer. */
  readonly onFailed: (error: unknown) => undefined;
}

/** Reads the values of the optional measurements, and keeps those that the next ones are compared with. */
export class DomainReadings {
  /** Run of a domain -> reader -> its last value. */
  readonly #previous = new Map<string, Map<object, unknown>>();
  readonly #starts = new RunStarts();
  readonly #checks: BudgetChecks | undefined;
  #isNeeded = false;

  constructor(needs: readonly StatsNeed[], checks: BudgetChecks | undefined) {
    this.#checks = checks;
    this.configure(needs);
  }

  /** Takes the list of running domains of a cycle. `nowMs` is in milliseconds since the epoch. */
  observe(domains: readonly DomainRef[], nowMs: number): void {
    if (!this.#isNeeded) return;
    retainDomains(this.#previous, domains);
    this.#starts.observe(domains, nowMs);
  }

  /** Call this after a cycle without a list of domains. */
  interrupt(): void {
    this.#starts.interrupt();
  }

  /** Sets what the configuration needs. Removes the values of all other readers. */
  configure(needs: readonly StatsNeed[]): void {
    const isNeeded = readersOf(needs).length > 0;
    if (!isNeeded) {
      this.observe([], 0);
      this.interrupt();
    }
    this.#isNeeded = isNeeded;
    const needed = new Set<object>(needs);
    for (const values of this.#previous.values())
      for (const reader of values.keys()) if (!needed.has(reader)) values.delete(reader);
  }

  /**
   * Returns the values of these readers for one domain: reader -> its value. A call that fails leaves only its reader
   * without an answer.
   * @throws {BudgetError} if a value exceeds the budget
   */
  async read(
    readers: readonly StatsReader<unknown>[],
    { call, onFailed, ...about }: ReadingOptions,
  ): Promise<ReadonlyMap<object, unknown>> {
    const { domain } = about.info;
    const run = domainKey(domain);
    const input = { ...about, startedS: about.vm.startedS ?? this.#starts.startOf(about.info) };
    const values = await Promise.all(
      readers.map(async (reader) => {
        const asked = reader.ask && call(async (session, options) => reader.ask?.(session, domain, options));
        const answer = asked && (await undefinedIfRejected(asked).catch(onFailed));
        const value = reader.read({ ...input, answer }, this.#previous.get(run)?.get(reader));
        return [reader, value] as const;
      }),
    );
    const readings = new Map(values);
    this.#checks?.checkReadings(readings);
    for (const [reader, value] of readings)
      if (reader.keepsPrevious === true && value !== undefined) this.#keep(run, reader, value);
    return readings;
  }

  #keep(run: string, reader: object, value: unknown): void {
    const values = this.#previous.get(run) ?? new Map<object, unknown>();
    this.#previous.set(run, values.set(reader, value));
  }
}
