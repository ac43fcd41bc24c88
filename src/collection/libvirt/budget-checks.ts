import type { LauncherBudget } from "../../budget.ts";
import { domainKey } from "../../discovery/domain-name.ts";
import { BudgetError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import type { DomainRef, DomainStats } from "../../libvirt/types.ts";
import type { DeviceIndex } from "./device-stats.ts";

const HOUR_MS = 3_600_000;

/** Compares what a launcher sends with its budget, before anything of it is kept. All functions throw BudgetError. */
export class BudgetChecks {
  readonly #budget: LauncherBudget;
  readonly #clock: Clock;
  /** The runs in the last list that was in the budget. One that comes back later is new. */
  #present: ReadonlySet<string> = new Set();
  /** When the new runs of the last hour appeared, on the monotonic clock. */
  #appearedMs: readonly number[] = [];

  constructor(budget: LauncherBudget, clock: Clock) {
    this.#budget = budget;
    this.#clock = clock;
  }

  /** Checks the list of running domains: their names, and how many runs are new. The client has checked their number. */
  checkDomains(domains: readonly DomainRef[]): void {
    this.checkNames(domains);
    this.#setPresent(new Set(domains.map(domainKey)));
  }

  /** Checks a run that the last list does not have, because the domain has started since. It counts like one in the list. */
  checkRun(domain: DomainRef): void {
    this.#setPresent(new Set([...this.#present, domainKey(domain)]));
  }

  #setPresent(present: ReadonlySet<string>): void {
    const { runs } = this.#budget;
    const now = this.#clock.monotonic();
    const appeared = [...present].filter((run) => !this.#present.has(run)).map(() => now);
    const recent = [...this.#appearedMs.filter((ms) => now - ms < HOUR_MS), ...appeared];
    if (recent.length > runs) throw new BudgetError("Runs", `more than ${runs} new runs of its domain in an hour`);
    this.#present = present;
    this.#appearedMs = recent;
  }

  /** Checks the records of a bulk call. */
  checkStats(stats: readonly DomainStats[]): void {
    this.checkNames(stats.map(({ domain }) => domain));
  }

  /** Checks the devices in the statistics of a domain. */
  checkReport(nics: DeviceIndex, disks: DeviceIndex): void {
    const { deviceNameLength } = this.#budget;
    this.#checkDevices(nics.size + disks.size);
    for (const index of [nics, disks])
      for (const name of index.keys())
        if (name.length > deviceNameLength)
          throw new BudgetError("NameLength", `a device name of more than ${deviceNameLength} characters`);
  }

  /** Checks the values of the optional measurements, such as the vCPUs. */
  checkReadings(readings: ReadonlyMap<object, unknown>): void {
    for (const value of readings.values()) if (Array.isArray(value)) this.#checkDevices(value.length);
  }

  /** Checks the names of domains, such as in an event. */
  checkNames(domains: readonly DomainRef[]): void {
    const { domainNameLength } = this.#budget;
    if (domains.some(({ name }) => name.length > domainNameLength))
      throw new BudgetError("NameLength", `a domain name of more than ${domainNameLength} characters`);
  }

  #checkDevices(count: number): void {
    const { devices } = this.#budget;
    if (count > devices) throw new BudgetError("Devices", `more than ${devices} devices in the statistics`);
  }
}
