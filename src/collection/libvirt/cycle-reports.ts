import { domainKey } from "../../discovery/domain-name.ts";
import { STATS_GROUP } from "../../libvirt/protocol.ts";
import type { DomainRef } from "../../libvirt/types.ts";
import type { BulkReply, BulkStats } from "./bulk-stats.ts";
import { completedReport, domainReport, type DomainReport } from "./sample-mapping.ts";

/** What the bulk statistics of a cycle say of each domain, and held calls that return before its deadline. */
export class CycleReports {
  readonly #bulk: BulkStats;
  readonly #reply: BulkReply | undefined;
  readonly #groups: number;
  readonly #deadline: number;
  readonly #reports: ReadonlyMap<string, DomainReport>;

  /** `groups` of STATS_GROUP are those that are wanted; the reply may have fewer. */
  constructor(
    bulk: BulkStats,
    reply: BulkReply | undefined,
    { groups, deadline }: { readonly groups: number; readonly deadline: number },
  ) {
    this.#bulk = bulk;
    this.#reply = reply;
    this.#groups = groups;
    this.#deadline = deadline;
    const stats = (reply?.stats ?? []).map(({ domain, params }) => [domainKey(domain), params] as const);
    this.#reports = new Map(stats.map(([run, params]) => [run, domainReport(params, reply?.groups ?? 0)]));
  }

  /** Whether the domain still ran when the statistics were asked for; true when there are none. */
  isRunning(domain: DomainRef): boolean {
    return this.#reply === undefined || this.#reports.has(domainKey(domain)) || this.#wasAnsweredBefore(domain);
  }

  /** What can be had at once. Waits for no domain but one that only an earlier call of the cycle has asked for. */
  async available(domain: DomainRef): Promise<DomainReport | undefined> {
    return this.#reports.get(domainKey(domain)) ?? (this.#wasAnsweredBefore(domain) ? this.completed(domain) : undefined);
  }

  /** Waits for the QEMU's values of a domain of which `first` has none; undefined when they do not come. */
  async completed(domain: DomainRef): Promise<DomainReport | undefined> {
    const report = this.#reports.get(domainKey(domain));
    if ((this.#groups & STATS_GROUP.BLOCK) === 0 || report?.monitorAnswered === true) return undefined;
    // An older call completes only what this cycle's own call could have but for QEMU.
    const complete = this.#reply?.groups === this.#groups;
    return this.#bulk.lateReply(domain, this.#deadline, (answer) =>
      complete || answer.isOfCycle ? completedReport(report, answer, this.#groups) : undefined,
    );
  }

  #wasAnsweredBefore({ uuid }: DomainRef): boolean {
    return this.#reply?.answeredBefore.has(uuid) === true;
  }
}
