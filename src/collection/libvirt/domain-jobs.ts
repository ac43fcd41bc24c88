import type { LibvirtClient } from "../../libvirt/client.ts";
import { LibvirtError } from "../../libvirt/errors.ts";
import { CONTROL_ERROR, CONTROL_STATE } from "../../libvirt/protocol.ts";
import type { DomainRef } from "../../libvirt/types.ts";

/** UUID of a domain with a running job -> how long the job has waited for QEMU or a lock, in milliseconds. */
export type Jobs = ReadonlyMap<string, number>;

/** Returns the running jobs of these domains. DOMAIN_GET_CONTROL_INFO never waits for a QEMU. */
export async function jobsOf(session: LibvirtClient, domains: readonly DomainRef[], deadlineMs: number): Promise<Jobs> {
  const jobs = await Promise.all(
    domains.map(async (domain): Promise<[string, number][]> => {
      try {
        const { state, details, stateTimeMs } = await session.domainControlInfo(domain, { deadlineMs });
        if (state === CONTROL_STATE.OCCUPIED || state === CONTROL_STATE.JOB) return [[domain.uuid, stateTimeMs]];
        // libvirt is reading an answer between two commands, and reports no time.
        return state === CONTROL_STATE.ERROR && details === CONTROL_ERROR.INTERNAL ? [[domain.uuid, 0]] : [];
      } catch (error) {
        // A domain that is gone blocks no call. A lost connection also ends the call for statistics.
        if (error instanceof LibvirtError) return [];
        throw error;
      }
    }),
  );
  return new Map(jobs.flat());
}

/** Returns the UUIDs of the domains that may block a call: their job has run for `forMs`, or is in `before` too. */
export function blockersAmong(seen: Jobs, forMs: number, before: Jobs = new Map()): string[] {
  return [...seen].flatMap(([uuid, jobMs]) => (jobMs >= forMs || before.has(uuid) ? [uuid] : []));
}
