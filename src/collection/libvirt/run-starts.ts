import { domainKey, retainDomains } from "../../discovery/domain-name.ts";
import type { DomainRef } from "../../libvirt/types.ts";
import type { BasicInfo } from "./basic-info.ts";

interface Run {
  /** When it was first listed, in seconds since the epoch; undefined if it may be older. */
  startS: number | undefined;
  /** Of its QEMU when `startOf` was last called, in nanoseconds. */
  cpuTimeNs: bigint;
}

/** Knows when the runs of domains began that appeared while their daemon was observed in every cycle. */
export class RunStarts {
  readonly #runs = new Map<string, Run>();
  #observed = false;

  /** Takes the list of running domains of a cycle. `nowMs` is in milliseconds since the epoch. */
  observe(domains: readonly DomainRef[], nowMs: number): void {
    retainDomains(this.#runs, domains);
    const startS = this.#observed ? Math.floor(nowMs / 1000) : undefined;
    for (const domain of domains) {
      const key = domainKey(domain);
      if (!this.#runs.has(key)) this.#runs.set(key, { startS, cpuTimeNs: 0n });
    }
    this.#observed = true;
  }

  /** Call this after a cycle without a list: a run that is new in the next one may have begun long before. */
  interrupt(): void {
    this.#observed = false;
  }

  /**
   * Returns the start in seconds since the epoch, at most one interval late; undefined if it is not known. After a migration
   * to this host or a restore it is when the domain arrived. A run whose CPU time has fallen is another one, as in
   * `DomainHistory`.
   */
  startOf({ domain, info }: Pick<BasicInfo, "domain" | "info">): number | undefined {
    const run = this.#runs.get(domainKey(domain));
    if (run === undefined) return undefined;
    if (info.cpuTimeNs < run.cpuTimeNs) run.startS = undefined;
    run.cpuTimeNs = info.cpuTimeNs;
    return run.startS;
  }
}
