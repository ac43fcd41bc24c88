import type { DomainRef } from "../libvirt/types.ts";

export interface ObjectName {
  readonly namespace: string;
  readonly name: string;
}

/** Returns the name that virt-launcher gives the domain of a VMI. */
export function domainNameOf({ namespace, name }: ObjectName): string {
  return `${namespace}_${name}`;
}

/**
 * Returns the VMI in a domain name, or undefined if the name does not have virt-launcher's form. Names in Kubernetes have
 * no underscore, so the first one is the separator.
 */
export function splitDomainName(domain: string): ObjectName | undefined {
  const at = domain.indexOf("_");
  const [namespace, name] = [domain.slice(0, at), domain.slice(at + 1)];
  return at > 0 && name !== "" && !name.includes("_") ? { namespace, name } : undefined;
}

/** Returns the key of one run of a domain. A restarted guest gets another id, and another domain may reuse an id. */
export function domainKey({ uuid, id }: DomainRef): string {
  return `${uuid}/${id}`;
}

/** Deletes the entries of all other domains. The keys are those of `domainKey`. */
export function retainDomains(entries: Map<string, unknown>, domains: readonly DomainRef[]): void {
  const kept = new Set(domains.map(domainKey));
  for (const key of entries.keys()) if (!kept.has(key)) entries.delete(key);
}
