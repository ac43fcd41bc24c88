import type { DomainLayout } from "../../discovery/domain-layout.ts";
import { domainKey } from "../../discovery/domain-name.ts";
import type { DomainRef } from "../../libvirt/types.ts";
import type { SourceSettings } from "../source.ts";
import { LATE_GROUPS } from "./blocked-calls.ts";
import type { BudgetChecks } from "./budget-checks.ts";
import type { BulkReply } from "./bulk-reply.ts";
import type { BulkStats } from "./bulk-stats.ts";
import type { CycleGroups } from "./kept-values.ts";
import { completedReport, domainReport, type DeviceSamples, type DomainReport } from "./sample-mapping.ts";

/** What the parts of one cycle share. `leftMs` returns the time until its deadline. */
export interface CycleContext {
  readonly needs: SourceSettings["needs"];
  readonly wanted: CycleGroups;
  readonly reports: CycleReports;
  readonly report: (error: unknown, tolerate?: boolean) => void;
  readonly leftMs: () => number;
}

/** What is known about a domain in a cycle. */
export interface DomainAnswer {
  readonly stats: DomainReport | undefined;
  readonly devices?: DeviceSamples;
  /** What its XML says, if it was needed. */
  readonly layout?: DomainLayout;
}

/** The statistics of each domain in a cycle: from the bulk call, and from blocked calls that return in time. */
export class CycleReports {
  readonly #bulk: BulkStats;
  readonly #reply: BulkReply | undefined;
  readonly #groups: number;
  readonly #deadline: number;
  readonly #checks: BudgetChecks | undefined;
  readonly #reports: ReadonlyMap<string, DomainReport>;

  /**
   * `groups` is the mask of the needed groups; the reply may have fewer. `deadline` is on the monotonic clock.
   * @throws {BudgetError} if the reply exceeds the budget
   */
  constructor(
    bulk: BulkStats,
    reply: BulkReply | undefined,
    {
      groups,
      deadline,
      checks,
    }: { readonly groups: number; readonly deadline: number; readonly checks: BudgetChecks | undefined },
  ) {
    this.#bulk = bulk;
    this.#reply = reply;
    this.#groups = groups;
    this.#deadline = deadline;
    this.#checks = checks;
    const { stats = [] } = reply ?? {};
    checks?.checkStats(stats);
    this.#reports = new Map(
      stats.map(({ domain, params }) => [domainKey(domain), domainReport(params, reply?.groups ?? 0, checks)]),
    );
  }

  /** Whether the bulk call failed or was late. It does not count if too many QEMUs are stuck, because that can last for days. */
  get lackStatistics(): boolean {
    if (this.#groups === 0) return false;
    return this.#reply === undefined || this.#reply.limitedBy === "late" || this.#reply.limitedBy === "slow";
  }

  /** Returns whether the domain was running at the time of the bulk call; true without a reply. */
  isRunning(domain: DomainRef): boolean {
    return this.#reply === undefined || this.#reports.has(domainKey(domain)) || this.#wasAnsweredBefore(domain);
  }

  /**
   * Returns the report of the bulk call, or a promise of it if an earlier call of the cycle has the values of the domain.
   */
  available(domain: DomainRef): DomainReport | undefined | Promise<DomainReport | undefined> {
    const report = this.#reports.get(domainKey(domain));
    return report ?? (this.#wasAnsweredBefore(domain) ? this.completed(domain) : undefined);
  }

  /**
   * Returns the report with QEMU's values from a late reply. Undefined if the bulk call has them, or if no reply arrives
   * in time.
   * @throws {BudgetError} if the reply exceeds the budget
   */
  completed(domain: DomainRef): Promise<DomainReport | undefined> | undefined {
    const report = this.#reports.get(domainKey(domain));
    if ((this.#groups & LATE_GROUPS) === 0 || report?.monitorAnswered === true) return undefined;
    // An older call may only add values that this cycle's call also requested.
    const complete = this.#reply?.groups === this.#groups;
    return this.#bulk.lateReply(domain, this.#deadline, (answer) =>
      complete || answer.isOfCycle ? completedReport(report, answer, this.#groups, this.#checks) : undefined,
    );
  }

  #wasAnsweredBefore({ uuid }: DomainRef): boolean {
    return this.#reply?.answeredBefore.has(uuid) === true;
  }
}
