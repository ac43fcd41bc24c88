import type { LauncherBudget } from "../budget.ts";
import { BudgetError, TelemetryError } from "../errors.ts";
import { BurstLimit } from "../lib/burst-limit.ts";
import type { Clock } from "../lib/clock.ts";
import type { DomainRef } from "../libvirt/types.ts";
import { domainKey, retainDomains } from "./domain-name.ts";
import { type DomainLayout, parseDomainXml } from "./domain-layout.ts";

/** Device names in the statistics of a domain; undefined if the statistics were not requested or have no answer. */
export interface ReportedDevices {
  readonly nics: ReadonlySet<string> | undefined;
  readonly blocks: ReadonlySet<string> | undefined;
}

interface Entry {
  /** The devices, or why the XML cannot be used. */
  readonly result: DomainLayout | TelemetryError;
  expiresAt: number;
  /** The differences to the statistics that remained after the XML was read; they do not cause another read. */
  readonly knownDifferences: string;
  readonly rereads: BurstLimit;
}

/** Reads of the XML before an entry expires. A hot-plug needs one; a layout that always differs would cost one in each cycle. */
const REREADS = { burst: 10, periodMs: 30_000 };

/**
 * Caches the devices of the domains of one libvirt connection, from their XML, for `ttlMs` each. An entry belongs to one run
 * of a domain (UUID and id), so a reused id or a restarted guest does not get the devices of another run. XML that cannot be
 * used is cached too.
 */
export class DeviceCache {
  readonly #entries = new Map<string, Entry>();
  readonly #clock: Clock;
  readonly #budget: LauncherBudget | undefined;
  #ttlMs: number;

  constructor(ttlMs: number, clock: Clock, budget?: LauncherBudget) {
    this.#ttlMs = ttlMs;
    this.#clock = clock;
    this.#budget = budget;
  }

  /** Changes the lifetime of entries that are read from now on. */
  set ttlMs(ttlMs: number) {
    this.#ttlMs = ttlMs;
  }

  /**
   * Resolves to the devices of a domain: from the cache, or from `readXml` if the entry is missing or expired, or if its
   * devices differ from those in the statistics (hot-plug).
   * @throws {TelemetryError} E_DOMAIN_XML, the same error until the entry expires
   * @throws {BudgetError} if the XML exceeds the budget; or the error of `readXml`
   */
  async layout(domain: DomainRef, reported: ReportedDevices, readXml: () => Promise<string>): Promise<DomainLayout> {
    const run = domainKey(domain);
    const before = this.#entries.get(run);
    if (before !== undefined && !this.#mustRead(before, reported)) return layoutOf(before);
    const result = this.#parsed(await readXml());
    const entry: Entry = {
      result,
      expiresAt: this.#clock.monotonic() + this.#ttlMs,
      knownDifferences: result instanceof Error ? "" : differences(result, reported),
      rereads: before?.rereads ?? new BurstLimit(REREADS, this.#clock),
    };
    this.#entries.set(run, entry);
    return layoutOf(entry);
  }

  /** Deletes the entries of all other domains. */
  retain(domains: readonly DomainRef[]): void {
    retainDomains(this.#entries, domains);
  }

  /** Reads each domain again when it is next needed. A daemon that closes every connection causes no more reads than REREADS. */
  invalidate(): void {
    for (const entry of this.#entries.values()) if (entry.rereads.allows()) entry.expiresAt = Number.NEGATIVE_INFINITY;
  }

  #mustRead(entry: Entry, reported: ReportedDevices): boolean {
    if (this.#clock.monotonic() >= entry.expiresAt) return true;
    if (entry.result instanceof Error) return false;
    const difference = differences(entry.result, reported);
    return difference !== "" && difference !== entry.knownDifferences && entry.rereads.allows();
  }

  #parsed(xml: string): Entry["result"] {
    try {
      return parseDomainXml(xml, this.#budget);
    } catch (error) {
      // A launcher over its budget is cut off, and a later attempt may read its XML again.
      if (error instanceof TelemetryError && !(error instanceof BudgetError)) return error;
      throw error;
    }
  }
}

function layoutOf({ result }: Entry): DomainLayout {
  if (result instanceof Error) throw result;
  return result;
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
  const inXml = new Set(layout);
  return [
    ...layout.filter((device) => !reported.has(device)).map((device) => `-${kind}:${device}`),
    ...[...reported].filter((device) => !inXml.has(device)).map((device) => `+${kind}:${device}`),
  ];
}
