import { domainKey, retainDomains } from "../../discovery/domain-name.ts";
import type { DomainLayout } from "../../discovery/domain-layout.ts";
import { STATS_GROUP } from "../../libvirt/protocol.ts";
import type { DomainRef, TypedParameters, TypedValue } from "../../libvirt/types.ts";
import type { SourceSettings } from "../source.ts";
import type { StatsNeed } from "../stats-needs.ts";
import type { CpuTimesSource } from "./basic-info.ts";
import { statsGroups } from "./stats-readers.ts";
import { counter } from "./typed-values.ts";

/** No kept value gets older than this, whatever the guest's period is: the memory that QEMU uses can change at any time. */
const MAX_PERIOD_MS = 60_000;
/** The part of a period after which the next cycle counts as the one at its end: cycles do not begin at exact times. */
const NEARLY = 0.95;

/** What is read from kept parameters. Not `cpu.time`, because rates are computed from it. */
const KEPT_PARAMETERS: readonly string[] = [
  ...["rss", "available", "usable", "unused", "swap_in", "swap_out", "major_fault", "minor_fault", "disk_caches"].map(
    (field) => `balloon.${field}`,
  ),
  ...["balloon.last-update", "balloon.hugetlb_pgalloc", "balloon.hugetlb_pgfail"],
  ...["cpu.user", "cpu.system", "cpu.haltpoll.success.time", "cpu.haltpoll.fail.time"],
];

/** When a cycle began, in milliseconds: on the monotonic clock, and since the epoch. */
export interface CycleStart {
  readonly monotonicMs: number;
  readonly timestampMs: number;
}

/** Groups of the bulk call of a cycle, masks of STATS_GROUP. */
export interface CycleGroups {
  /** What the call asks for. */
  readonly asked: number;
  /** What needs with `mayBeKept` are about. Either all of it is asked or nothing. 0 if nothing may be kept. */
  readonly kept: number;
}

interface Entry {
  readonly params: TypedParameters;
  /** The groups that `params` is from. */
  readonly groups: number;
  readonly layout: DomainLayout;
  /** When the cycle began that asked, on the monotonic clock. -Infinity once the XML is another one. */
  askedMs: number;
  readonly periodMs: number;
  /** The earliest time of the guest's next values, in milliseconds since the epoch. Undefined if it has sent none. */
  readonly nextMs: number | undefined;
}

/**
 * Decides in which cycles a daemon is asked for values that may be kept, and keeps them in between. All of its domains are asked in one
 * call, so all are asked when one is due: after the period of its balloon driver, or in every cycle if it has no period or its last
 * values are missing. If it is the only domain, it is due as soon as the guest can have sent new values, so these are not late.
 */
export class KeptValues {
  /** Run of a domain -> its values. */
  readonly #entries = new Map<string, Entry>();
  #isOn = false;

  constructor(settings: Pick<SourceSettings, "freshness">) {
    this.configure(settings);
  }

  configure({ freshness }: Pick<SourceSettings, "freshness">): void {
    this.#isOn = freshness === "GuestPeriod";
    if (!this.#isOn) this.clear();
  }

  /**
   * Returns what to ask for these domains; the same in the whole cycle. While it is uncertain where CPU times come from, CPU_TOTAL is
   * asked, whatever the needs are: every sample has a CPU time, and that of other calls counts less than a cgroup.
   */
  groupsOf(
    needs: readonly StatsNeed[],
    domains: readonly DomainRef[],
    cpuTimes: CpuTimesSource,
    start: CycleStart,
  ): CycleGroups {
    const groupsOf = (some: readonly StatsNeed[]): number => statsGroups(some, cpuTimes === "known");
    const forCpuTime = cpuTimes === "uncertain" ? STATS_GROUP.CPU_TOTAL : 0;
    const all = groupsOf(needs) | forCpuTime;
    if (!this.#isOn) return { asked: all, kept: 0 };
    const kept = groupsOf(needs.filter(({ mayBeKept }) => mayBeKept === true));
    const others = groupsOf(needs.filter(({ mayBeKept }) => mayBeKept !== true)) | forCpuTime;
    const isAsked = (others & kept) !== 0 || this.#isAnyDue(domains, kept, start);
    return { asked: isAsked ? all : others, kept };
  }

  /**
   * Returns where the values of one domain are: in `params`, its statistics of this cycle, if they were asked, else in the kept
   * parameters. `layout` has the period.
   */
  take(
    domain: DomainRef,
    { asked, kept }: CycleGroups,
    { params, layout }: { readonly params: TypedParameters | undefined; readonly layout: DomainLayout | undefined },
    { monotonicMs }: CycleStart,
  ): TypedParameters | undefined {
    if (kept === 0) return params;
    const run = domainKey(domain);
    if ((asked & kept) !== kept) {
      const entry = this.#entries.get(run);
      if (entry !== undefined && layout !== undefined && layout !== entry.layout) entry.askedMs = -Infinity;
      return entry?.params;
    }
    const periodS = layout?.balloonPeriodS;
    // Libvirt reports the resident set whenever QEMU's monitor has answered.
    if (params?.has("balloon.rss") !== true || layout === undefined || periodS === undefined) this.#entries.delete(run);
    else
      this.#entries.set(run, {
        params: keptOf(params),
        groups: kept,
        layout,
        askedMs: monotonicMs,
        periodMs: Math.min(periodS * 1000, MAX_PERIOD_MS),
        nextMs: nextUpdateMs(params, periodS),
      });
    return params;
  }

  /** Removes all other domains. */
  retain(domains: readonly DomainRef[]): void {
    if (this.#isOn) retainDomains(this.#entries, domains);
  }

  /** Must be called when the next connection may be to another daemon. */
  clear(): void {
    this.#entries.clear();
  }

  #isAnyDue(domains: readonly DomainRef[], groups: number, { monotonicMs, timestampMs }: CycleStart): boolean {
    return domains.some((domain) => {
      const entry = this.#entries.get(domainKey(domain));
      if (entry === undefined || (groups & ~entry.groups) !== 0) return true;
      const { askedMs, periodMs, nextMs } = entry;
      if (monotonicMs - askedMs >= periodMs * NEARLY) return true;
      if (domains.length > 1 || nextMs === undefined) return false;
      // A guest that has missed a whole period is silent, and is asked once in a period.
      return timestampMs >= nextMs && timestampMs < nextMs + periodMs;
    });
  }
}

/** Returns a copy of the parameters that are read later. Only numbers, because a text can be large. */
function keptOf(params: TypedParameters): TypedParameters {
  const kept = new Map<string, TypedValue>();
  for (const name of KEPT_PARAMETERS) {
    const value = counter(params, name);
    if (value !== undefined) kept.set(name, value);
  }
  return kept;
}

function nextUpdateMs(params: TypedParameters, periodS: number): number | undefined {
  const lastS = counter(params, "balloon.last-update");
  return lastS === undefined || lastS === 0n ? undefined : (Number(lastS) + periodS) * 1000;
}
