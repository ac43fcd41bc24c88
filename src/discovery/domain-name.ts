import type { DomainRef } from "../libvirt/types.ts";
export interface ObjectName {
  readonly namespace: string;
  readonly name: string;
}

/** The name that virt-launcher gives the domain of a VMI. */
export function domainNameOf({ namespace, name }: ObjectName): string {
  return `${namespace}_${name}`;
}

/**
 * The VMI that a domain name speaks of; undefined when it is not of virt-launcher's form. Names in Kubernetes have no
 * underscore, so the first one is the separator.
 */
export function splitDomainName(domain: string): ObjectName | undefined {
  const at = domain.indexOf("_");
  const [namespace, name] = [domain.slice(0, at), domain.slice(at + 1)];
  return at > 0 && name !== "" && !name.includes("_") ? { namespace, name } : undefined;
}

/** Names one run of one domain: a restarted guest has another id, and an id may come to another UUID. */
export function domainKey({ uuid, id }: DomainRef): string {
  return `${uuid}/${id}`;
}

/** Removes the entries whose domain is not among these. */
export function retainDomains(entries: Map<string, unknown>, domains: readonly DomainRef[]): void {
  const kept = new Set(domains.map(domainKey));
  for (const run of entries.keys()) if (!kept.has(run)) entries.delete(run);
}
