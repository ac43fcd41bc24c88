import { domainKey, retainDomains } from "../../discovery/domain-name.ts";
import type { DomainRef } from "../../libvirt/types.ts";

/** Knows when the runs of domains began that appeared while their daemon was observed in every cycle. */
export class RunStarts {
  /** Run -> when it was first listed, in seconds since the epoch; undefined if it may be older. */
  readonly #starts = new Map<string, number | undefined>();
  #observed = false;

  /** Takes the list of running domains of a cycle. `nowMs` is in milliseconds since the epoch. */
  observe(domains: readonly DomainRef[], nowMs: number): void {
    retainDomains(this.#starts, domains);
    const startS = this.#observed ? Math.floor(nowMs / 1000) : undefined;
    for (const domain of domains) {
      const run = domainKey(domain);
      if (!this.#starts.has(run)) this.#starts.set(run, startS);
    }
    this.#observed = true;
  }

  /** Call this after a cycle without a list: a run that is new in the next one may have begun long before. */
  interrupt(): void {
    this.#observed = false;
  }

  /**
   * Returns the start in seconds since the epoch, at most one interval late; undefined if it is not known. After a migration
   * to this host or a restore it is when the domain arrived.
   */
  startOf(domain: DomainRef): number | undefined {
    return this.#starts.get(domainKey(domain));
  }
}
