import { domainKey, retainDomains } from "../../discovery/domain-name.ts";
import type { DomainRef } from "../../libvirt/types.ts";
import type { DomainIdentity, DomainSample, MemoryPoint, MemorySample } from "../domain-sample.ts";

/** What a domain is to its users; see DomainIdentity. Without a `uuid` of its own the domain's is its users' too. */
export type VmName = Omit<DomainIdentity, "id" | "uuid"> & { readonly uuid?: string };

interface Entry {
  named: VmName;
  identity: DomainIdentity;
  last: MemoryPoint | undefined;
}

/** What must outlive a cycle of a domain: its identity object and the memory point before, for rates. */
export class DomainHistory {
  readonly #entries = new Map<string, Entry>();

  /**
   * The identity and the previous point of a run of a domain (libvirt's UUID and id); remembers `memory` for the next
   * cycle. The identity is a new object only when something of `named` is not what it was.
   */
  update(domain: DomainRef, memory: MemorySample, named: VmName = domain): Pick<DomainSample, "identity" | "previous"> {
    const run = domainKey(domain);
    let entry = this.#entries.get(run);
    if (entry === undefined) {
      entry = { named, identity: identityOf(domain, named), last: undefined };
      this.#entries.set(run, entry);
    }
    if (!isSame(entry.named, named)) Object.assign(entry, { named, identity: identityOf(domain, named) });
    const previous = entry.last;
    if (memory.current !== undefined) entry.last = { current: memory.current, monotonicMs: memory.monotonicMs };
    return { identity: entry.identity, previous };
  }

  /** Forgets the domains that are not among these. */
  retain(domains: readonly DomainRef[]): void {
    retainDomains(this.#entries, domains);
  }
}

function isSame(before: VmName, after: VmName): boolean {
  return (["name", "namespace", "uuid", "labels", "tags"] as const).every((key) => before[key] === after[key]);
}

function identityOf(domain: DomainRef, { uuid = domain.uuid, name, namespace, labels, tags }: VmName): DomainIdentity {
  return {
    id: domain.id,
    uuid,
    name,
    ...(namespace !== undefined && { namespace }),
    ...(labels !== undefined && { labels }),
    ...(tags !== undefined && { tags }),
  };
}
