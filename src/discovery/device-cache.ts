import type { DomainRef } from "../libvirt/types.ts";
import type { Clock } from "../lib/clock.ts";
import { domainKey, retainDomains } from "./domain-name.ts";
import { type DomainLayout, parseDomainXml } from "./domain-layout.ts";

/** Device names that the statistics of a domain show; undefined when they were not asked for or not answered. */
export interface ReportedDevices {
  readonly nics: ReadonlySet<string> | undefined;
  readonly blocks: ReadonlySet<string> | undefined;
}

interface Entry {
  readonly layout: DomainLayout;
  readonly expiresAt: number;
  /** The disagreement with the statistics that a fresh XML did not solve, so that it is not asked for every cycle. */
  readonly knownDifferences: string;
}

/**
 * The devices of the domains of one libvirt connection, from their XML, for `ttlMs` each. An entry belongs to one run of
 * one domain (UUID and id), so neither a reused id nor a restarted guest sees another's devices.
 */
export class DeviceCache {
  readonly #entries = new Map<string, Entry>();
  readonly #clock: Clock;
  #ttlMs: number;

  constructor(ttlMs: number, clock: Clock) {
    this.#ttlMs = ttlMs;
    this.#clock = clock;
  }

  /** For entries that are read from now on. */
  set ttlMs(ttlMs: number) {
    this.#ttlMs = ttlMs;
  }

  get size(): number {
    return this.#entries.size;
  }

  /**
   * The devices of a domain: from the cache, or from `readXml` when the entry is missing or expired, or when the
   * statistics show a device that it lacks or lack one that it has (hot-plug).
   * @throws what `readXml` throws, and TelemetryError E_DOMAIN_XML.
   */
  async layout(domain: DomainRef, seen: ReportedDevices, readXml: () => Promise<string>): Promise<DomainLayout> {
    const run = domainKey(domain);
    const entry = this.#entries.get(run);
    if (entry !== undefined && this.#clock.monotonic() < entry.expiresAt) {
      const disagreement = differences(entry.layout, seen);
      if (disagreement === "" || disagreement === entry.knownDifferences) return entry.layout;
    }
    const layout = parseDomainXml(await readXml());
    const expiresAt = this.#clock.monotonic() + this.#ttlMs;
    this.#entries.set(run, { layout, expiresAt, knownDifferences: differences(layout, seen) });
    return layout;
  }

  /** Drops the domains that are not among these. */
  retain(domains: readonly DomainRef[]): void {
    retainDomains(this.#entries, domains);
  }

  clear(): void {
    this.#entries.clear();
  }
}

/** What the XML has and the statistics lack, and the other way round; empty when they agree. */
function differences({ nics, disks, otherBlocks }: DomainLayout, seen: ReportedDevices): string {
  const differences: string[] = [];
  if (seen.nics !== undefined)
    diff(
      nics.map(({ device }) => device),
      seen.nics,
      "nic",
      differences,
    );
  if (seen.blocks !== undefined)
    diff([...disks.map(({ device }) => device), ...otherBlocks], seen.blocks, "disk", differences);
  return differences.join(" ");
}

function diff(layout: readonly string[], seen: ReadonlySet<string>, kind: string, into: string[]): void {
  for (const device of layout) if (!seen.has(device)) into.push(`-${kind}:${device}`);
  for (const device of seen) if (!layout.includes(device)) into.push(`+${kind}:${device}`);
}
