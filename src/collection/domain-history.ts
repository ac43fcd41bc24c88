import { domainRun, retainRuns } from "../discovery/domain-run.ts";
import type { DomainRef } from "../libvirt/types.ts";
import type { DomainIdentity, DomainSample, MemoryPoint, MemorySample } from "./domain-sample.ts";

/** Who a domain is to its users; see DomainIdentity. */
export type DomainName = Omit<DomainIdentity, "id" | "uuid">;

interface Entry {
  named: DomainName;
  identity: DomainIdentity;
  last: MemoryPoint | undefined;
}

/** What must outlive a cycle of a domain: its identity object and the memory point before, for rates. */
export class DomainHistory {
  readonly #entries = new Map<string, Entry>();

  /**
   * The identity and the previous point of a run of a domain (UUID and id); remembers `memory` for the next cycle. The
   * identity is a new object only when `named` is another object, or another name, than before.
   */
  next(
    domain: DomainRef,
    memory: MemorySample,
    named: DomainName = domain,
  ): Pick<DomainSample, "identity" | "previous"> {
    const run = domainRun(domain);
    let entry = this.#entries.get(run);
    if (entry === undefined) {
      entry = { named, identity: identityOf(domain, named), last: undefined };
      this.#entries.set(run, entry);
    }
    // A domain itself is its name where nobody knows better.
    const same = entry.named === named || (named === domain && entry.identity.name === named.name);
    if (!same) Object.assign(entry, { named, identity: identityOf(domain, named) });
    const previous = entry.last;
    if (memory.current !== undefined) entry.last = { current: memory.current, monotonicMs: memory.monotonicMs };
    return { identity: entry.identity, previous };
  }

  /** Forgets the domains that are not among these. */
  retain(domains: readonly DomainRef[]): void {
    retainRuns(this.#entries, domains);
  }
}

function identityOf({ id, uuid }: DomainRef, { name, namespace, labels, tags }: DomainName): DomainIdentity {
  return {
    id,
    uuid,
    name,
    ...(namespace !== undefined && { namespace }),
    ...(labels !== undefined && { labels }),
    ...(tags !== undefined && { tags }),
  };
}
