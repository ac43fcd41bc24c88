import type { EndpointView } from "./agent-view.ts";

/** Libvirt daemons on the status page, and in /status.json. */
export const MAX_DAEMONS = 200;

/** Returns the daemons that are shown: of more than `MAX_DAEMONS`, first those that are not up. */
export function firstDaemons(daemons: readonly EndpointView[]): readonly EndpointView[] {
  if (daemons.length <= MAX_DAEMONS) return daemons;
  return daemons.toSorted((a, b) => Number(a.state === "up") - Number(b.state === "up")).slice(0, MAX_DAEMONS);
}
