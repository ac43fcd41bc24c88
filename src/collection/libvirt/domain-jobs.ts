import type { LibvirtClient } from "../../libvirt/client.ts";
import { LibvirtError } from "../../libvirt/errors.ts";
import { CONTROL_ERROR, CONTROL_STATE } from "../../libvirt/protocol.ts";
import type { DomainRef } from "../../libvirt/types.ts";

/** UUIDs of domains that a job holds -> for how long it has waited for one thing, in milliseconds. */
export type Jobs = ReadonlyMap<string, number>;

/** What goes on in these domains. DOMAIN_GET_CONTROL_INFO never waits for a QEMU. */
export async function jobsOf(
  session: LibvirtClient,
  domains: readonly DomainRef[],
  deadlineMs: number,
): Promise<Jobs> {
  const held = await Promise.all(
    domains.map(async (domain): Promise<[string, number][]> => {
      try {
        const { state, details, stateTimeMs } = await session.domainControlInfo(domain, { deadlineMs });
        if (state === CONTROL_STATE.OCCUPIED || state === CONTROL_STATE.JOB) return [[domain.uuid, stateTimeMs]];
        // Between two commands, while libvirt reads the answer: there is no time then.
        return state === CONTROL_STATE.ERROR && details === CONTROL_ERROR.INTERNAL ? [[domain.uuid, 0]] : [];
      } catch (error) {
        // One that has gone meanwhile is not waited for; a lost connection shows in the call for statistics.
        if (error instanceof LibvirtError) return [];
        throw error;
      }
    }),
  );
  return new Map(held.flat());
}

/** UUIDs of the domains that a call may wait for: held for so long already, or when looked at `before` as well. */
export function blockersAmong(seen: Jobs, forMs: number, before: Jobs = new Map()): string[] {
  return [...seen].flatMap(([uuid, heldMs]) => (heldMs >= forMs || before.has(uuid) ? [uuid] : []));
}
