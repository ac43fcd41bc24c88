import type { ObjectName } from "./domain-name.ts";

/** What a domain is to the users of the cluster. */
export interface NamedDomain extends ObjectName {
  /** The VM's UUID as its VMI has it; undefined when only libvirt has one. */
  readonly uuid?: string;
  /** Of the VMI. */
  readonly labels: Readonly<Record<string, string>>;
  /** Tag key and value, from the labels and annotations that the configuration names. */
  readonly tags: readonly (readonly [key: string, value: string])[];
}
