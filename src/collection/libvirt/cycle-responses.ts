import type { DomainControlInfo, DomainRef } from "../../libvirt/types.ts";
import type { UnansweredDomains } from "../source.ts";
import type { StatsNeed } from "../stats-needs.ts";
import type { BulkStats } from "./bulk-stats.ts";
import type { QemuResponses } from "./qemu-responses.ts";
import type { DomainReport } from "./sample-mapping.ts";
import { knowsAnswers } from "./stats-readers.ts";

/** The domains of one cycle that have no answer of QEMU. */
export class CycleResponses {
  readonly #responses: QemuResponses;
  readonly #bulk: BulkStats;
  readonly #unanswered: DomainRef[] = [];
  /** QEMU was not called for these, such as in a cycle without a family that needs it. */
  readonly notCalled: DomainRef[] = [];

  constructor(responses: QemuResponses, bulk: BulkStats) {
    this.#responses = responses;
    this.#bulk = bulk;
  }

  /** Records whether the domain's QEMU answered in this cycle. */
  record(domain: DomainRef, stats: DomainReport | undefined): void {
    const answered = stats?.monitorAnswered ?? (this.#bulk.blockedSince(domain) === undefined ? undefined : false);
    if (answered === undefined) this.notCalled.push(domain);
    else if (answered) this.#responses.recordAnswer(domain);
    else this.#unanswered.push(domain);
  }

  /** Returns why these domains have no answer. `needs` are those of all cycles; `calledMs` is on the monotonic clock. */
  classify(
    needs: readonly StatsNeed[],
    calledMs: number,
    control: (domain: DomainRef) => Promise<DomainControlInfo>,
  ): Promise<UnansweredDomains> {
    for (const domain of this.#unanswered) this.#responses.recordSilence(domain, calledMs);
    const domains = { unanswered: this.#unanswered, notCalled: knowsAnswers(needs) ? this.notCalled : [] };
    return this.#responses.classify(domains, (domain) => this.#bulk.blockedSince(domain), control);
  }
}
