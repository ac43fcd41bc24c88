import { STATS_GROUP } from "../libvirt/protocol.ts";
import type { DomainFacts } from "./domain-facts.ts";
import { hasCpuTimes } from "./sample-mapping.ts";

/** What the enabled measurements need; less is asked of the host when less is needed. */
export interface CollectionNeeds {
  readonly devices: boolean;
  /** Balloon details, and user and system time apart. */
  readonly totals: boolean;
}

/** The groups of STATS_GROUP to ask for in bulk: what the facts do not have. `stateReason` is wanted of launchers. */
export function wantedGroups(
  { devices, totals }: CollectionNeeds,
  facts: readonly DomainFacts[],
  stateReason: boolean,
): number {
  const state = stateReason ? STATS_GROUP.STATE : 0;
  const ofDevices = devices ? STATS_GROUP.INTERFACE | STATS_GROUP.BLOCK : 0;
  if (!totals) return state | ofDevices;
  return state | ofDevices | STATS_GROUP.BALLOON | (facts.every(hasCpuTimes) ? 0 : STATS_GROUP.CPU_TOTAL);
}
