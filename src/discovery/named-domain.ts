import type { DomainRef } from "../libvirt/types.ts";
import type { VmiFacts } from "./vmi-facts.ts";
import { splitDomainName, type ObjectName } from "./domain-name.ts";

/** The facts of a VMI, with the launcher that runs it here. */
export interface VmFacts extends VmiFacts {
  readonly uid: string;
  /** UID of the launcher's pod. */
  readonly pod: string;
}

/** The VM that a domain belongs to, as the lines name it. */
export interface NamedDomain extends ObjectName {
  /** The UUID in the VMI; undefined if the VMI has none or there is no cluster. */
  readonly uuid?: string;
  /** When the VMI began to run, in seconds since the epoch. */
  readonly startedS?: number;
  /** Volume of the VMI -> its PersistentVolumeClaim. */
  readonly claims?: Readonly<Record<string, string>>;
  /** Present if the VMI is kept with them. */
  readonly facts?: VmFacts;
  /** Labels of the VMI. */
  readonly labels: Readonly<Record<string, string>>;
  /** Tags from the labels and annotations that the configuration names. */
  readonly tags: readonly (readonly [key: string, value: string])[];
}

/**
 * Returns the VM according to the domain's own name. A launcher can choose any name, even that of another VM, so this is
 * only for standalone use, where every launcher is trusted. In a cluster `VmiInventory` identifies the domains.
 */
export function claimedName({ name: domain }: DomainRef): NamedDomain {
  return { ...(splitDomainName(domain) ?? { namespace: "", name: domain }), labels: {}, tags: [] };
}
