import { DeviceCache } from "../discovery/device-cache.ts";
import { domainRun } from "../discovery/domain-run.ts";
import type { TelemetryError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { LibvirtError } from "../libvirt/errors.ts";
import { DOMAIN_FILTER, STATS_GROUP } from "../libvirt/protocol.ts";
import type { DomainRef } from "../libvirt/types.ts";
import { BulkStats, late, type BulkReply } from "./bulk-stats.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";
import { CpuStats } from "./cpu-stats.ts";
import { CycleErrors, tooManyStuck } from "./cycle-errors.ts";
import { DaemonSession, type CallCount } from "./daemon-session.ts";
import { readFacts, isGone, type DomainFacts } from "./domain-facts.ts";
import { DomainHistory, type DomainName } from "./domain-history.ts";
import type { DomainSample } from "./domain-sample.ts";
import { patienceFor } from "./patience.ts";
import {
  completedReport,
  cpuSample,
  deviceSamples,
  domainReport,
  domainState,
  hasCpuTimes,
  memorySample,
  type DeviceSamples,
  type DomainReport,
} from "./sample-mapping.ts";
import { Silences, STARTING_MS, type SilentDomains } from "./silences.ts";

/** What the enabled measurements need; less is asked of the host when less is needed. */
interface CollectionNeeds {
  readonly devices: boolean;
  /** Balloon details, and user and system time apart. */
  readonly totals: boolean;
}

export interface CollectionSettings {
  /** Time for one cycle of one endpoint, in milliseconds; less than the interval. */
  readonly timeoutMs: number;
  readonly deviceCacheTtlMs: number;
  readonly needs: CollectionNeeds;
}

/** A libvirt daemon to collect from. */
export interface Endpoint {
  readonly socket: string;
  /**
   * Says who a domain in this state (virDomainState and its reason, unknown if libvirt did not say) is; undefined when it
   * is not to be collected here. The same object for as long as the answer is the same. Without it a domain has its own
   * name and all are collected.
   * @throws {TelemetryError} when the domain must not be collected, which is reported
   */
  readonly name?: (domain: DomainRef, state: number, reason: number | undefined) => DomainName | undefined;
  /** The daemon comes and goes with its guest: that nobody listens on its socket is then no failure. */
  readonly transient?: boolean;
}

/** What one cycle of one endpoint brought; the names are those of domains of which QEMU's values are missing. */
export interface EndpointCycle extends SilentDomains {
  readonly endpoint: string;
  /**
   * `skipped`: the circuit breaker did not let it try. `absent`: a transient daemon is not there. `starting`: it was
   * first seen less than a minute ago and does not answer, which is no fault yet.
   */
  readonly outcome: "collected" | "failed" | "skipped" | "absent" | "starting";
  readonly samples: readonly DomainSample[];
  /** What went wrong; samples may have been collected all the same. */
  readonly errors: readonly (LibvirtError | TelemetryError)[];
  /** What went wrong and is no fault, because the launcher or a domain is starting. */
  readonly excused: readonly (LibvirtError | TelemetryError)[];
}

/** For a call that never waits, when the cycle's time is up. */
const LAST_CALL_MS = 100;

/** Collects the domains of one libvirt daemon. It has one connection of its own and shares nothing with other endpoints. */
export class EndpointCollector {
  readonly endpoint: string;
  readonly #name: Endpoint["name"];
  readonly #transient: boolean;
  readonly #firstSeenMs: number;
  readonly #clock: Clock;
  readonly #breaker: CircuitBreaker;
  readonly #daemon: DaemonSession;
  readonly #bulk: BulkStats;
  readonly #devices: DeviceCache;
  readonly #history = new DomainHistory();
  readonly #silences: Silences;
  readonly #cpuStats: CpuStats;
  #settings: CollectionSettings;

  constructor(
    { socket, name, transient = false }: Endpoint,
    settings: CollectionSettings,
    clock: Clock,
    count: CallCount = { calls: 0 },
  ) {
    this.endpoint = socket;
    this.#name = name;
    this.#transient = transient;
    this.#firstSeenMs = clock.monotonic();
    this.#settings = settings;
    this.#clock = clock;
    this.#breaker = new CircuitBreaker(clock);
    this.#devices = new DeviceCache(settings.deviceCacheTtlMs, clock);
    this.#silences = new Silences(clock);
    this.#cpuStats = new CpuStats(clock);
    this.#daemon = new DaemonSession(socket, clock, {
      count,
      lost: () => {
        // Another daemon may answer next time: what was learned of this one no longer holds.
        this.#cpuStats.reset();
        this.#devices.clear();
      },
    });
    this.#bulk = new BulkStats(this.#daemon, clock);
  }

  get libvirtVersion(): string | undefined {
    return this.#daemon.libvirtVersion;
  }

  get heldWorkers(): number {
    return this.#bulk.heldWorkers;
  }

  configure(settings: CollectionSettings): void {
    this.#settings = settings;
    this.#devices.ttlMs = settings.deviceCacheTtlMs;
  }

  /** Runs one cycle. Never rejects; calls must not overlap. */
  async collect(): Promise<EndpointCycle> {
    const nothing = { endpoint: this.endpoint, samples: [], stuck: [], busy: [], slow: [] };
    const found = new CycleErrors();
    if (!this.#breaker.allows) return { ...nothing, ...found, outcome: "skipped" };
    try {
      const collected = await this.#cycle(this.#clock.monotonic() + this.#settings.timeoutMs, found);
      this.#breaker.succeeded();
      return { ...nothing, ...collected, ...found, outcome: "collected" };
    } catch (error) {
      this.#breaker.failed();
      found.report(error, { starting: this.#isStarting });
      if (found.errors.length === 0) return { ...nothing, ...found, outcome: "starting" };
      const absent = this.#transient && found.errors.every(({ code }) => code === "E_LIBVIRT_UNREACHABLE");
      return { ...nothing, ...found, outcome: absent ? "absent" : "failed" };
    }
  }

  close(): void {
    this.#daemon.close();
    this.#bulk.close();
  }

  /** A daemon that lives longer than its guests is not starting only because the agent is. */
  get #isStarting(): boolean {
    return this.#transient && this.#clock.monotonic() - this.#firstSeenMs < STARTING_MS;
  }

  async #cycle(deadline: number, found: CycleErrors): Promise<Pick<EndpointCycle, "samples"> & SilentDomains> {
    const session = await this.#daemon.session(deadline);
    const leftMs = (): number => Math.max(1, deadline - this.#clock.monotonic());
    const timestampMs = this.#clock.now();
    const domains = await session.listDomains(DOMAIN_FILTER.ACTIVE, { deadlineMs: leftMs() });
    this.#devices.retain(domains);
    this.#history.retain(domains);
    this.#silences.retain(domains);
    const report = (error: unknown, domain?: DomainRef): void => {
      found.report(error, {
        starting: this.#isStarting || (domain !== undefined && this.#silences.isStarting(domain)),
      });
    };
    const withCpu = await this.#cpuStats.usable(session, domains, patienceFor(this.#settings.timeoutMs));
    const facts = await readFacts(session, domains, { withCpu, deadlineMs: leftMs(), clock: this.#clock }, report);
    if (withCpu && facts.length > 0 && facts.every(({ cpu }) => cpu === undefined)) this.#cpuStats.unavailable();

    let bulk: BulkReply | undefined;
    const askedMs = this.#clock.monotonic();
    const groups = this.#groups(facts);
    if (groups !== 0) {
      try {
        bulk = await this.#bulk.read(groups, domains, deadline);
        if (bulk.obstacle === "stuck") report(tooManyStuck(this.heldWorkers));
        if (bulk.obstacle === "late") report(late());
      } catch (error) {
        // The facts are true without it.
        report(error);
      }
    }
    const reports = byDomain(bulk);
    const present = bulk === undefined ? facts : facts.filter(({ domain }) => reports.has(domainRun(domain)));
    const silent: DomainRef[] = [];
    const samples = await Promise.all(
      present.map(async (fact): Promise<DomainSample[]> => {
        const { domain } = fact;
        let stats = reports.get(domainRun(domain));
        const { state, reason } = domainState(fact, stats?.params);
        const named = this.#nameOf(domain, { state, reason }, report);
        if (named === undefined) return [];
        let devices: DeviceSamples | undefined;
        try {
          devices = await this.#deviceSamples(domain, stats, leftMs());
          const completed = stats && (await this.#completed(domain, stats, groups, deadline));
          if (completed !== undefined) {
            stats = completed;
            devices = await this.#deviceSamples(domain, stats, Math.max(LAST_CALL_MS, leftMs()));
          }
        } catch (error) {
          if (isGone(error)) return [];
          report(error, domain);
        }
        if (stats?.monitorAnswered === true) this.#silences.answered(domain);
        else if (stats?.monitorAnswered === false || this.#bulk.heldSince(domain) !== undefined) silent.push(domain);
        const memory = memorySample(fact, stats?.params);
        return [
          {
            timestampMs: bulk?.timestampMs ?? timestampMs,
            state,
            cpu: cpuSample(fact, stats?.params),
            memory,
            nics: devices?.nics,
            disks: devices?.disks,
            ...this.#history.next(domain, memory, named),
          },
        ];
      }),
    );
    return { samples: samples.flat(), ...(await this.#explain(silent, askedMs, deadline)) };
  }

  /** Waits until the deadline for QEMU's values of a domain of which the bulk statistics have none. */
  async #completed(
    domain: DomainRef,
    stats: DomainReport,
    groups: number,
    deadline: number,
  ): Promise<DomainReport | undefined> {
    if ((groups & STATS_GROUP.BLOCK) === 0 || stats.monitorAnswered === true) return undefined;
    return this.#bulk.lateAnswer(domain, deadline, (params) => completedReport(stats, params, groups));
  }

  #explain(silent: readonly DomainRef[], askedMs: number, deadline: number): Promise<SilentDomains> {
    for (const domain of silent) this.#silences.unanswered(domain, askedMs);
    return this.#silences.explain(
      silent,
      (domain) => this.#bulk.heldSince(domain),
      async (domain) => {
        const session = await this.#daemon.session(Math.max(deadline, this.#clock.monotonic() + LAST_CALL_MS));
        return session.domainControlInfo(domain, {
          deadlineMs: Math.max(LAST_CALL_MS, deadline - this.#clock.monotonic()),
        });
      },
    );
  }

  #nameOf(
    domain: DomainRef,
    { state, reason }: ReturnType<typeof domainState>,
    report: (error: unknown) => void,
  ): DomainName | undefined {
    try {
      return this.#name === undefined ? domain : this.#name(domain, state, reason);
    } catch (error) {
      report(error);
      return undefined;
    }
  }

  #groups(facts: readonly DomainFacts[]): number {
    const { needs } = this.#settings;
    // The reason of a state tells the two sides of a live migration apart.
    const state = this.#name === undefined ? 0 : STATS_GROUP.STATE;
    const devices = needs.devices ? STATS_GROUP.INTERFACE | STATS_GROUP.BLOCK : 0;
    if (!needs.totals) return state | devices;
    return state | devices | STATS_GROUP.BALLOON | (facts.every(hasCpuTimes) ? 0 : STATS_GROUP.CPU_TOTAL);
  }

  async #deviceSamples(
    domain: DomainRef,
    report: DomainReport | undefined,
    deadlineMs: number,
  ): Promise<DeviceSamples | undefined> {
    if (report === undefined || !this.#settings.needs.devices) return undefined;
    const { nics, disks, monitorAnswered } = report;
    const seen = { nics: new Set(nics.keys()), blocks: monitorAnswered === true ? new Set(disks.keys()) : undefined };
    const layout = await this.#devices.layout(domain, seen, async () => {
      const session = await this.#daemon.session(this.#clock.monotonic() + deadlineMs);
      return session.domainXml(domain, { deadlineMs });
    });
    return deviceSamples(layout, report);
  }
}

function byDomain(bulk: BulkReply | undefined): ReadonlyMap<string, DomainReport> {
  const { stats = [], groups = 0 } = bulk ?? {};
  return new Map(stats.map(({ domain, params }) => [domainRun(domain), domainReport(params, groups)]));
}
