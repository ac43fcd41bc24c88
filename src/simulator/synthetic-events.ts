import { isAborted } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import type { DomainEvent } from "../libvirt/types.ts";
import type { SimulatedHost } from "./simulated-host.ts";
import type { SyntheticDomain } from "./synthetic-domain.ts";

/** Time from one event of a host to the next. */
const PERIOD_MS = 10_000;

type Happening = (domain: SyntheticDomain, host: SimulatedHost) => Omit<DomainEvent, "domain">;

/** What happens to a domain, in its order: it restarts, and its agent with it; it gets memory; a disk grows; it migrates. */
const HAPPENINGS: readonly Happening[] = [
  () => ({ name: "AGENT_LIFECYCLE", numbers: [2, 2] }),
  () => ({ name: "REBOOT", numbers: [] }),
  () => ({ name: "AGENT_LIFECYCLE", numbers: [1, 2] }),
  (domain, host) => ({ name: "BALLOON_CHANGE", numbers: [Number(domain.info(host.uptimeS).memoryKiB)] }),
  () => ({ name: "BLOCK_THRESHOLD", device: "vda", numbers: [16 * 1024 ** 3, 65_536] }),
  ({ ref }, host) => {
    host.jobs.set(ref.name, host.nowMs);
    return { name: "MIGRATION_ITERATION", numbers: [1] };
  },
  (domain, host) => {
    const params = domain.migration(host.nowMs - (host.jobs.get(domain.ref.name) ?? host.nowMs));
    host.jobs.delete(domain.ref.name);
    // The domain stays: another host would have to take it over.
    return { name: "JOB_COMPLETED", numbers: [], params };
  },
];

/** Lets something happen to the domains of a host, one after the other, until the signal aborts. */
export async function simulateEvents(host: SimulatedHost, clock: Clock, signal: AbortSignal): Promise<void> {
  for (let turn = 0; !isAborted(signal); turn++) {
    await clock.sleep(PERIOD_MS, signal);
    const happening = HAPPENINGS[turn % HAPPENINGS.length];
    const domains = [...host.domains.values()];
    // All of them happen to one domain before the first happens to the next.
    const domain = domains[Math.floor(turn / HAPPENINGS.length) % domains.length];
    if (happening === undefined || domain === undefined || isAborted(signal)) continue;
    host.emit({ ...happening(domain, host), domain: domain.ref });
  }
}
