import type { DomainRef } from "../libvirt/types.ts";
import { splitDomainName } from "./domain-name.ts";
import type { NamedDomain } from "./named-domain.ts";

const NOTHING = { labels: {}, tags: [] } as const;

/**
 * The name that a launcher's domain claims. It may be any other VM's name, so it counts only without a cluster, where
 * every launcher is trusted; in a cluster VmiInventory names the domains.
 */
export function claimedName({ name: domain }: DomainRef): NamedDomain {
  return { ...(splitDomainName(domain) ?? { namespace: "", name: domain }), ...NOTHING };
}
