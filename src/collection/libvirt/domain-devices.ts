import type { LauncherBudget } from "../../budget.ts";
import { DeviceCache, type Reported } from "../../discovery/device-cache.ts";
import type { DomainLayout } from "../../discovery/domain-layout.ts";
import type { Clock } from "../../lib/clock.ts";
import type { DomainRef } from "../../libvirt/types.ts";
import type { SourceSettings } from "../source.ts";
import type { DaemonSession } from "./daemon-session.ts";
import type { ParameterShare } from "./parameter-share.ts";
import { deviceSamples, reportedDevices, type DeviceSamples, type DomainReport } from "./sample-mapping.ts";
import { VM_INFO } from "./vm-info.ts";

export interface DomainDevicesOptions {
  readonly daemon: () => DaemonSession;
  readonly share: ParameterShare;
  readonly clock: Clock;
  readonly budget: LauncherBudget | undefined;
}

const NOT_REPORTED: Reported = { nics: undefined, blocks: undefined };

/** The devices of the domains of one daemon: from their XML, which is read when the cache does not have it. */
export class DomainDevices {
  readonly #cache: DeviceCache;
  readonly #options: DomainDevicesOptions;
  #ttlMs = 0;

  constructor(settings: SourceSettings, options: DomainDevicesOptions) {
    this.#options = options;
    this.#cache = new DeviceCache(settings.deviceCacheTtlMs, options.clock, options.budget);
    this.configure(settings);
  }

  configure({ deviceCacheTtlMs, needs }: SourceSettings): void {
    this.#ttlMs = deviceCacheTtlMs;
    this.#cache.ttlMs = deviceCacheTtlMs;
    this.#cache.withFacts = needs.includes(VM_INFO);
  }

  /** Reads each XML again when it is next needed. */
  invalidate(): void {
    this.#cache.invalidate();
  }

  /** Removes all other domains. */
  retain(domains: readonly DomainRef[]): void {
    this.#cache.retain(domains);
  }

  /**
   * Returns the values of a domain's devices.
   * @throws what `DeviceCache.layout` throws
   */
  async samples(domain: DomainRef, report: DomainReport, leftMs: number): Promise<DeviceSamples> {
    return deviceSamples(await this.layout(domain, leftMs, reportedDevices(report)), report);
  }

  /**
   * Returns what the XML of a domain says. `reported` shows whether it has other devices than before.
   * @throws what `DeviceCache.layout` throws
   */
  layout(domain: DomainRef, leftMs: number, reported = NOT_REPORTED): Promise<DomainLayout> {
    const { daemon, share, clock } = this.#options;
    return this.#cache.layout(domain, reported, async () => {
      const until = clock.monotonic() + leftMs;
      const xml = await daemon().lastCall(until, (session, options) => session.domainXml(domain, options));
      share.recordXml(xml.length, this.#ttlMs);
      return xml;
    });
  }
}
