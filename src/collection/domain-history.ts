import { domainRun, retainRuns } from "../discovery/domain-run.ts";
import type { DomainRef } from "../libvirt/types.ts";
import type { DomainIdentity, DomainSample, MemoryPoint, MemorySample } from "./domain-sample.ts";

interface Entry {
  identity: DomainIdentity;
  last: MemoryPoint | undefined;
}

/** What must outlive a cycle of a domain: its identity object and the memory point before, for rates. */
export class DomainHistory {
  readonly #entries = new Map<string, Entry>();

  /** The identity and the previous point of a run of a domain (UUID and id); remembers `memory` for the next cycle. */
  next(domain: DomainRef, memory: MemorySample): Pick<DomainSample, "identity" | "previous"> {
    const run = domainRun(domain);
    const { id, uuid, name } = domain;
    let entry = this.#entries.get(run);
    if (entry === undefined) {
      entry = { identity: { id, uuid, name }, last: undefined };
      this.#entries.set(run, entry);
    }
    // QEMU's driver renames only what does not run; should another do it, the new name counts from now on.
    if (entry.identity.name !== name) entry.identity = { id, uuid, name };
    const previous = entry.last;
    if (memory.current !== undefined) entry.last = { current: memory.current, monotonicMs: memory.monotonicMs };
    return { identity: entry.identity, previous };
  }

  /** Forgets the domains that are not among these. */
  retain(domains: readonly DomainRef[]): void {
    retainRuns(this.#entries, domains);
  }
}
