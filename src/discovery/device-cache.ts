import type { DomainRef } from "../libvirt/types.ts";
import type { Clock } from "../lib/clock.ts";
import { domainKey, retainDomains } from "./domain-name.ts";
import { type DomainLayout, parseDomainXml } from "./domain-layout.ts";

/** Device names in the statistics of a domain; undefined if the statistics were not requested or have no answer. */
export interface ReportedDevices {
  readonly nics: ReadonlySet<string> | undefined;
  readonly blocks: ReadonlySet<string> | undefined;
}

interface Entry {
  readonly layout: DomainLayout;
  readonly expiresAt: number;
  /** The differences to the statistics that remained after the XML was read; they do not cause another read. */
  readonly knownDifferences: string;
}

/**
 * Caches the devices of the domains of one libvirt connection, from their XML, for `ttlMs` each. An entry belongs to one run
 * of a domain (UUID and id), so a reused id or a restarted guest does not get the devices of another run.
 */
export class DeviceCache {
  readonly #entries = new Map<string, Entry>();
  readonly #clock: Clock;
  #ttlMs: number;

  constructor(ttlMs: number, clock: Clock) {
    this.#ttlMs = ttlMs;
    this.#clock = clock;
  }

  /** Changes the lifetime of entries that are read from now on. */
  set ttlMs(ttlMs: number) {
    this.#ttlMs = ttlMs;
  }

  /**
   * Resolves to the devices of a domain: from the cache, or from `readXml` if the entry is missing or expired, or if its
   * devices differ from those in the statistics (hot-plug).
   * @throws {TelemetryError} E_DOMAIN_XML, or the error of `readXml`
   */
  async layout(domain: DomainRef, reported: ReportedDevices, readXml: () => Promise<string>): Promise<DomainLayout> {
    const run = domainKey(domain);
    const entry = this.#entries.get(run);
    if (entry !== undefined && this.#clock.monotonic() < entry.expiresAt) {
      const difference = differences(entry.layout, reported);
      if (difference === "" || difference === entry.knownDifferences) return entry.layout;
    }
    const layout = parseDomainXml(await readXml());
    const expiresAt = this.#clock.monotonic() + this.#ttlMs;
    this.#entries.set(run, { layout, expiresAt, knownDifferences: differences(layout, reported) });
    return layout;
  }

  /** Deletes the entries of all other domains. */
  retain(domains: readonly DomainRef[]): void {
    retainDomains(this.#entries, domains);
  }

  clear(): void {
    this.#entries.clear();
  }
}

/** Returns the devices that are only in the XML (`-`) or only in the statistics (`+`); empty if there are none. */
function differences({ nics, disks, otherBlocks }: DomainLayout, reported: ReportedDevices): string {
  const nicNames = nics.map(({ device }) => device);
  const blockNames = [...disks.map(({ device }) => device), ...otherBlocks];
  return [
    ...(reported.nics === undefined ? [] : diff(nicNames, reported.nics, "nic")),
    ...(reported.blocks === undefined ? [] : diff(blockNames, reported.blocks, "disk")),
  ].join(" ");
}

function diff(layout: readonly string[], reported: ReadonlySet<string>, kind: string): string[] {
  return [
    ...layout.filter((device) => !reported.has(device)).map((device) => `-${kind}:${device}`),
    ...[...reported].filter((device) => !layout.includes(device)).map((device) => `+${kind}:${device}`),
  ];
}
