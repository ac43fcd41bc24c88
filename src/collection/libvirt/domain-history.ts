import { domainKey, retainDomains } from "../../discovery/domain-name.ts";
import type { VmFacts } from "../../discovery/named-domain.ts";
import type { NodeMigration } from "../../discovery/named-domain.ts";
import type { DomainRef } from "../../libvirt/types.ts";
import type { DomainIdentity, DomainSample, MemoryPoint, MemorySample } from "../domain-sample.ts";

/** The identity of a VM, see DomainIdentity, and what is known about it. */
export interface VmName extends Omit<DomainIdentity, "id" | "uuid"> {
  /** If it is not given, that of the domain is used. */
  readonly uuid?: string;
  /** When the VM began to run, in seconds since the epoch. */
  readonly startedS?: number;
  /** KubeVirt volume -> its PersistentVolumeClaim. */
  readonly claims?: Readonly<Record<string, string>>;
  /** The same object until one of them changes. */
  readonly facts?: VmFacts;
  /** What this node reports about a live migration of the VM. */
  readonly migration?: NodeMigration;
}

/** What a cycle has read of a domain. */
interface CycleValues {
  readonly memory: MemorySample;
  /** Of its QEMU, in nanoseconds. */
  readonly cpuTimeNs: bigint;
}

interface Entry {
  vm: VmName;
  identity: DomainIdentity;
  last: MemoryPoint | undefined;
  cpuTimeNs: bigint;
}

/** State of each domain that is kept between cycles: its identity object, and its last memory point for rates. */
export class DomainHistory {
  readonly #entries = new Map<string, Entry>();

  /**
   * Returns the identity and the previous memory point of a domain, and stores `memory` for the next cycle. The identity
   * is the same object until `vm` changes. A domain is identified by UUID and id. A daemon that restarts may give the id of an old run
   * to a new one: the CPU time of a QEMU never falls, so a lower one is that of a new run.
   */
  update(
    domain: DomainRef,
    { memory, cpuTimeNs }: CycleValues,
    vm: VmName = domain,
  ): Pick<DomainSample, "identity" | "previous"> {
    const entry = this.#entryOf(domain, vm);
    const previous = cpuTimeNs < entry.cpuTimeNs ? undefined : entry.last;
    entry.cpuTimeNs = cpuTimeNs;
    if (memory.current !== undefined) entry.last = { current: memory.current, monotonicMs: memory.monotonicMs };
    return { identity: entry.identity, previous };
  }

  /** Returns the identity of a domain, as `update` does. */
  identityOf(domain: DomainRef, vm: VmName): DomainIdentity {
    return this.#entryOf(domain, vm).identity;
  }

  /** Removes all other domains. */
  retain(domains: readonly DomainRef[]): void {
    retainDomains(this.#entries, domains);
  }

  #entryOf(domain: DomainRef, vm: VmName): Entry {
    const run = domainKey(domain);
    let entry = this.#entries.get(run);
    if (entry === undefined) {
      entry = { vm, identity: identityOf(domain, vm), last: undefined, cpuTimeNs: 0n };
      this.#entries.set(run, entry);
    }
    if (!isSame(entry.vm, vm)) Object.assign(entry, { vm, identity: identityOf(domain, vm) });
    return entry;
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
