import type { LauncherBudget } from "../../budget.ts";
import { DeviceCache } from "../../discovery/device-cache.ts";
import type { Clock } from "../../lib/clock.ts";
import type { DomainRef } from "../../libvirt/types.ts";
import type { SessionLease } from "./bulk-stats.ts";
import { deviceSamples, type DeviceSamples, type DomainReport } from "./sample-mapping.ts";
import { LAST_CALL_MS } from "./time-limits.ts";

/** Finds the devices of domains in their XML, and the values of these devices in the statistics. */
export class DomainDevices {
  readonly cache: DeviceCache;
  readonly #daemon: SessionLease;
  readonly #clock: Clock;

  constructor(
    daemon: SessionLease,
    clock: Clock,
    { ttlMs, budget }: { readonly ttlMs: number; readonly budget: LauncherBudget | undefined },
  ) {
    this.cache = new DeviceCache(ttlMs, clock, budget);
    this.#daemon = daemon;
    this.#clock = clock;
  }

  /** Resolves to the devices of a domain. Reads the XML if necessary, and then waits at least LAST_CALL_MS for it. */
  async samples(domain: DomainRef, report: DomainReport, leftMs: number): Promise<DeviceSamples> {
    const { nics, disks, monitorAnswered } = report;
    const seen = { nics: new Set(nics.keys()), blocks: monitorAnswered === true ? new Set(disks.keys()) : undefined };
    const layout = await this.cache.layout(domain, seen, async () => {
      const deadlineMs = Math.max(LAST_CALL_MS, leftMs);
      const session = await this.#daemon.session(this.#clock.monotonic() + deadlineMs);
      return session.domainXml(domain, { deadlineMs });
    });
    return deviceSamples(layout, report);
  }
}
