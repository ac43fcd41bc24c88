import type { DomainRef } from "../libvirt/types.ts";

/** Names one run of one domain: a restarted guest has another id, and an id may come to another UUID. */
export function domainKey({ uuid, id }: DomainRef): string {
  return `${uuid}/${id}`;
}

/** Removes the entries whose domain is not among these. */
export function retainRuns(entries: Map<string, unknown>, domains: readonly DomainRef[]): void {
  const kept = new Set(domains.map(domainKey));
  for (const run of entries.keys()) if (!kept.has(run)) entries.delete(run);
}
