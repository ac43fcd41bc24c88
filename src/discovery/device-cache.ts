import type { LauncherBudget } from "../budget.ts";
import { BudgetError, TelemetryError } from "../errors.ts";
import { BurstLimit } from "../lib/burst-limit.ts";
import type { Clock } from "../lib/clock.ts";
import { LibvirtError } from "../libvirt/errors.ts";
import type { DomainRef } from "../libvirt/types.ts";
import { domainKey, retainDomains } from "./domain-name.ts";
import { type DomainLayout, parseDomainXml } from "./domain-layout.ts";

/** The devices of one kind in the statistics of a domain. */
export interface ReportedDevices {
  /** Names, paths and numbers that are the same while the devices are, in the order of the statistics. */
  readonly identity: readonly unknown[];
  /** Counters of the devices. A smaller value than before belongs to another device with the same name. */
  readonly counters: readonly (bigint | undefined)[];
}

/** A kind is undefined if its statistics were not requested or have no answer. */
export interface Reported {
  readonly nics: ReportedDevices | undefined;
  readonly blocks: ReportedDevices | undefined;
}

/** The devices of one kind in the last statistics. Their memory is used again, as that of `KeptSamples` is. */
interface LastDevices {
  readonly identity: readonly unknown[];
  /** A counter that is missing is 0. */
  readonly counters: BigUint64Array;
}

interface Entry {
  /** The devices, or why the XML cannot be used or read. */
  result: DomainLayout | Error;
  expiresAt: number;
  /** The statistics to compare the next ones with. A kind that never had statistics is undefined. */
  nics: LastDevices | undefined;
  blocks: LastDevices | undefined;
  readonly rereads: BurstLimit;
}

/** Reads of the XML before an entry expires. A hot-plug needs one; devices that always differ would cost one in each cycle. */
const REREADS = { burst: 10, periodMs: 30_000 };

/**
 * Caches the devices of the domains of one libvirt connection, from their XML, for `ttlMs` each. An entry belongs to one run
 * of a domain (UUID and id), so a reused id or a restarted guest does not get the devices of another run. XML that cannot be
 * used is cached too. XML that libvirt does not send is requested again as often as for a hot-plug.
 */
export class DeviceCache {
  readonly #entries = new Map<string, Entry>();
  readonly #clock: Clock;
  readonly #budget: LauncherBudget | undefined;
  #ttlMs: number;
  #withFacts = false;

  constructor(ttlMs: number, clock: Clock, budget?: LauncherBudget) {
    this.#ttlMs = ttlMs;
    this.#clock = clock;
    this.#budget = budget;
  }

  /** Changes the lifetime of entries that are read from now on. */
  set ttlMs(ttlMs: number) {
    this.#ttlMs = ttlMs;
  }

  /** Whether layouts have the facts of the XML. */
  set withFacts(wanted: boolean) {
    this.#withFacts = wanted;
    for (const entry of wanted ? [] : this.#entries.values()) entry.result = withoutFacts(entry.result);
  }

  /**
   * Resolves to the devices of a domain: from the cache, or from `readXml` if the entry is missing or expired, or if the
   * statistics show other devices than before (hot-plug, or another device in the same place).
   * @throws {TelemetryError} E_DOMAIN_XML, the same error until the entry expires
   * @throws {BudgetError} if the XML exceeds the budget; or the error of `readXml`
   */
  async layout(domain: DomainRef, reported: Reported, readXml: () => Promise<string>): Promise<DomainLayout> {
    const run = domainKey(domain);
    const before = this.#entries.get(run);
    if (before !== undefined) {
      const isSame = !isOther(before.nics, reported.nics) && !isOther(before.blocks, reported.blocks);
      if (!this.#mustRead(before, isSame)) {
        if (isSame) {
          before.nics = latest(before.nics, reported.nics);
          before.blocks = latest(before.blocks, reported.blocks);
        }
        return layoutOf(before.result);
      }
    }
    const store = (result: Entry["result"], expiresAt: number): void => {
      const rereads = before?.rereads ?? new BurstLimit(REREADS, this.#clock);
      const nics = latest(before?.nics, reported.nics);
      this.#entries.set(run, { result, expiresAt, nics, blocks: latest(before?.blocks, reported.blocks), rereads });
    };
    let xml: string;
    try {
      xml = await readXml();
    } catch (error) {
      // Without an entry the daemon would get the same call in each cycle.
      const isExpired = before === undefined || this.#isExpired(before);
      if (isExpired && error instanceof LibvirtError && error.code === "E_LIBVIRT_REMOTE")
        store(error, Number.NEGATIVE_INFINITY);
      throw error;
    }
    const result = this.#parsed(domain, xml);
    store(result, this.#clock.monotonic() + this.#ttlMs);
    return layoutOf(result);
  }

  /** Deletes the entries of all other domains. */
  retain(domains: readonly DomainRef[]): void {
    retainDomains(this.#entries, domains);
  }

  /** Reads each domain again when it is next needed. A daemon that closes every connection causes no more reads than REREADS. */
  invalidate(): void {
    for (const entry of this.#entries.values()) if (entry.rereads.allows()) entry.expiresAt = Number.NEGATIVE_INFINITY;
  }

  #mustRead(entry: Entry, isSame: boolean): boolean {
    const lacksFacts = this.#withFacts && "nics" in entry.result && entry.result.facts === undefined;
    if (lacksFacts && entry.rereads.allows()) return true;
    if (this.#isExpired(entry)) return !(entry.result instanceof LibvirtError) || entry.rereads.allows();
    return !isSame && !(entry.result instanceof Error) && entry.rereads.allows();
  }

  #isExpired({ expiresAt }: Entry): boolean {
    return this.#clock.monotonic() >= expiresAt;
  }

  #parsed({ name }: DomainRef, xml: string): Entry["result"] {
    try {
      return parseDomainXml(name, xml, this.#budget, this.#withFacts);
    } catch (error) {
      // A launcher over its budget is cut off, and a later attempt may read its XML again.
      if (error instanceof TelemetryError && !(error instanceof BudgetError)) return error;
      throw error;
    }
  }
}

/** Returns the statistics to compare the next ones with. */
function latest(before: LastDevices | undefined, reported: ReportedDevices | undefined): LastDevices | undefined {
  if (reported === undefined) return before;
  // The texts of each cycle are new objects. The same ones as before need no place among the old ones.
  const last =
    before !== undefined && before.counters.length === reported.counters.length && hasIdentity(before, reported)
      ? before
      : { identity: reported.identity, counters: new BigUint64Array(reported.counters.length) };
  for (let index = 0; index < last.counters.length; index++) last.counters[index] = reported.counters[index] ?? 0n;
  return last;
}

function withoutFacts(result: Entry["result"]): Entry["result"] {
  return result instanceof Error ? result : { ...result, facts: undefined };
}

function layoutOf(result: Entry["result"]): DomainLayout {
  if (result instanceof Error) throw result;
  return result;
}

/** Returns whether the statistics are of other devices than before. Missing statistics are not. */
function isOther(before: LastDevices | undefined, after: ReportedDevices | undefined): boolean {
  if (after === undefined) return false;
  if (before === undefined || !hasIdentity(before, after)) return true;
  return after.counters.some((value = 0n, index) => value < (before.counters[index] ?? 0n));
}

function hasIdentity(before: LastDevices, { identity }: ReportedDevices): boolean {
  return (
    before.identity.length === identity.length && identity.every((value, index) => value === before.identity[index])
  );
}
