import { DeviceCache } from "../discovery/device-cache.ts";
import { domainRun } from "../discovery/domain-run.ts";
import { TelemetryError, messageOf } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { LibvirtClient } from "../libvirt/client.ts";
import { LibvirtError } from "../libvirt/errors.ts";
import { DOMAIN_FILTER, STATS_GROUP } from "../libvirt/protocol.ts";
import type { DomainRef, TypedParameters } from "../libvirt/types.ts";
import { BulkStats, type BulkReply } from "./bulk-stats.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";
import { readFacts, isGone, unlessRefused, type DomainFacts } from "./domain-facts.ts";
import { DomainHistory, type DomainName } from "./domain-history.ts";
import type { DomainSample } from "./domain-sample.ts";
import {
  cpuSample,
  deviceSamples,
  domainReport,
  domainState,
  hasCpuTimes,
  memorySample,
  type DeviceSamples,
  type DomainReport,
} from "./sample-mapping.ts";
import { DEVICES, groupsOf, readersOf, type StatsNeed } from "./stats-needs.ts";

export interface CollectionSettings {
  /** Time for one cycle of one endpoint, in milliseconds; less than the interval. */
  readonly timeoutMs: number;
  readonly deviceCacheTtlMs: number;
  /** What the enabled measurements need; less is asked of the host when less is needed. */
  readonly needs: readonly StatsNeed[];
}

/** A libvirt daemon to collect from. */
export interface Endpoint {
  readonly socket: string;
  /**
   * Names a domain in this state (virDomainState and its reason, unknown if libvirt did not say); undefined when it is not
   * to be collected here. Labels and tags are the same objects for as long as they are the same. Without it a domain has
   * its own name and all are collected.
   * @throws {TelemetryError} when the domain must not be collected, which is reported
   */
  readonly name?: (domain: DomainRef, state: number, reason: number | undefined) => DomainName | undefined;
  /** The daemon comes and goes with its guest: that nobody listens on its socket is then no failure. */
  readonly transient?: boolean;
}

/** Counts calls to libvirt, of as many endpoints as share it. */
export interface CallCount {
  calls: number;
}

/** What one cycle of one endpoint brought. */
export interface EndpointCycle {
  readonly endpoint: string;
  /** `skipped`: the circuit breaker did not let it try. `absent`: a transient daemon is not there. */
  readonly outcome: "collected" | "failed" | "skipped" | "absent";
  readonly samples: readonly DomainSample[];
  /** Names of domains whose QEMU did not answer in this cycle. */
  readonly stuck: readonly string[];
  /** What went wrong; samples may have been collected all the same. */
  readonly errors: readonly (LibvirtError | TelemetryError)[];
}

/** Collects the domains of one libvirt daemon. It has one connection of its own and shares nothing with other endpoints. */
export class EndpointCollector {
  readonly endpoint: string;
  readonly #name: Endpoint["name"];
  readonly #transient: boolean;
  readonly #clock: Clock;
  readonly #breaker: CircuitBreaker;
  readonly #bulk: BulkStats;
  readonly #devices: DeviceCache;
  readonly #history = new DomainHistory();
  readonly #count: CallCount;
  #settings: CollectionSettings;
  #session: LibvirtClient | undefined;
  /** False once the daemon has shown that it has no cgroup to read CPU times from. */
  #cpuStats = true;

  constructor(
    { socket, name, transient = false }: Endpoint,
    settings: CollectionSettings,
    clock: Clock,
    count: CallCount = { calls: 0 },
  ) {
    this.endpoint = socket;
    this.#name = name;
    this.#transient = transient;
    this.#settings = settings;
    this.#clock = clock;
    this.#count = count;
    this.#breaker = new CircuitBreaker(clock);
    this.#devices = new DeviceCache(settings.deviceCacheTtlMs, clock);
    this.#bulk = new BulkStats(
      {
        session: (deadline) => this.#connect(deadline),
        abandon: (session) => {
          if (this.#session === session) this.#session = undefined;
        },
      },
      clock,
    );
  }

  get libvirtVersion(): string | undefined {
    return this.#session?.libvirtVersion;
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
    const cycle = { endpoint: this.endpoint, samples: [], stuck: [], errors: [] };
    if (!this.#breaker.allows) return { ...cycle, outcome: "skipped" };
    try {
      const collected = await this.#cycle(this.#clock.monotonic() + this.#settings.timeoutMs);
      this.#breaker.succeeded();
      return { ...cycle, ...collected, outcome: "collected" };
    } catch (error) {
      this.#breaker.failed();
      const failure = planned(error);
      const absent = this.#transient && failure.code === "E_LIBVIRT_UNREACHABLE";
      return { ...cycle, outcome: absent ? "absent" : "failed", errors: [failure] };
    }
  }

  close(): void {
    this.#session?.close();
    this.#bulk.close();
  }

  async #cycle(deadline: number): Promise<Pick<EndpointCycle, "samples" | "stuck" | "errors">> {
    const session = await this.#connect(deadline);
    const leftMs = (): number => Math.max(1, deadline - this.#clock.monotonic());
    const timestampMs = this.#clock.now();
    const domains = await session.listDomains(DOMAIN_FILTER.ACTIVE, { deadlineMs: leftMs() });
    this.#devices.retain(domains);
    this.#history.retain(domains);
    const errors: (LibvirtError | TelemetryError)[] = [];
    const report = (error: unknown): void => void errors.push(planned(error));
    const asking = { withCpu: this.#cpuStats, deadlineMs: leftMs(), clock: this.#clock };
    const facts = await readFacts(session, domains, asking, report);
    if (facts.length > 0 && facts.every(({ cpu }) => cpu === undefined)) this.#cpuStats = false;

    let bulk: BulkReply | undefined;
    const groups = this.#groups(facts);
    if (groups !== 0) {
      try {
        bulk = await this.#bulk.read(groups, domains, deadline);
        if (!bulk.whole) report(unanswered(this.heldWorkers));
      } catch (error) {
        // The facts are true without it.
        report(error);
      }
    }
    const reports = byDomain(bulk);
    const present = bulk === undefined ? facts : facts.filter(({ domain }) => reports.has(domainRun(domain)));
    const stuck: string[] = [];
    const samples = await Promise.all(
      present.map(async (fact): Promise<DomainSample[]> => {
        const stats = reports.get(domainRun(fact.domain));
        const { state, reason } = domainState(fact, stats?.params);
        const named = this.#nameOf(fact.domain, { state, reason }, report);
        if (named === undefined) return [];
        const answered = stats?.monitorAnswered ?? !this.#bulk.suspects.has(fact.domain.uuid);
        if (!answered) stuck.push(fact.domain.name);
        let found: DeviceSamples | undefined;
        try {
          found = await this.#deviceSamples(fact.domain, stats, leftMs());
        } catch (error) {
          if (isGone(error)) return [];
          report(error);
        }
        const memory = memorySample(fact, stats?.params);
        return [
          {
            timestampMs: bulk?.timestampMs ?? timestampMs,
            state,
            cpu: cpuSample(fact, stats?.params),
            memory,
            nics: found?.nics,
            disks: found?.disks,
            ...this.#history.next(fact.domain, memory, named),
            ...(await this.#readings(fact.domain, stats?.params, leftMs())),
          },
        ];
      }),
    );
    return { samples: samples.flat(), stuck, errors };
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
    // The reason of a state tells the two sides of a live migration apart.
    const state = this.#name === undefined ? 0 : STATS_GROUP.STATE;
    return state | groupsOf(this.#settings.needs, facts.every(hasCpuTimes));
  }

  async #deviceSamples(
    domain: DomainRef,
    report: DomainReport | undefined,
    deadlineMs: number,
  ): Promise<DeviceSamples | undefined> {
    if (report === undefined || !this.#settings.needs.includes(DEVICES)) return undefined;
    const { nics, disks, monitorAnswered } = report;
    const seen = { nics: new Set(nics.keys()), blocks: monitorAnswered === true ? new Set(disks.keys()) : undefined };
    const layout = await this.#devices.layout(domain, seen, async () => {
      const session = await this.#connect(this.#clock.monotonic() + deadlineMs);
      return session.domainXml(domain, { deadlineMs });
    });
    return deviceSamples(layout, report);
  }

  /** What the readers among the needs have read; nothing when there are none. */
  async #readings(
    domain: DomainRef,
    params: TypedParameters | undefined,
    deadlineMs: number,
  ): Promise<Pick<DomainSample, "readings">> {
    const readers = readersOf(this.#settings.needs);
    if (readers.length === 0) return {};
    const session = await this.#connect(this.#clock.monotonic() + deadlineMs);
    const values = await Promise.all(
      readers.map(async (reader) => {
        const answer = reader.ask && (await unlessRefused(reader.ask(session, domain, { deadlineMs })));
        return [reader, reader.read(params, answer)] as const;
      }),
    );
    return { readings: new Map(values) };
  }

  async #connect(deadline: number): Promise<LibvirtClient> {
    if (this.#session?.isOpen === true) return this.#session;
    const session = await LibvirtClient.open(this.endpoint, {
      deadlineMs: Math.max(1, deadline - this.#clock.monotonic()),
      onCall: () => {
        this.#count.calls++;
      },
    });
    this.#session = session;
    void session.closed.then((error) => {
      if (error === undefined) return;
      // Another daemon may answer next time: what was learned of this one no longer holds.
      this.#cpuStats = true;
      this.#devices.clear();
    });
    return session;
  }
}

function byDomain(bulk: BulkReply | undefined): ReadonlyMap<string, DomainReport> {
  const { stats = [], groups = 0 } = bulk ?? {};
  return new Map(stats.map(({ domain, params }) => [domainRun(domain), domainReport(params, groups)]));
}

function unanswered(calls: number): TelemetryError {
  return new TelemetryError(
    "E_QEMU_STUCK",
    `libvirt has not answered ${calls} of the calls for statistics; no disk values and totals for any of its domains until one returns`,
  );
}

/** Makes an error of any other kind, which is a bug, one that can be reported; it keeps its stack as the cause. */
function planned(error: unknown): LibvirtError | TelemetryError {
  if (error instanceof LibvirtError || error instanceof TelemetryError) return error;
  return new TelemetryError("E_INTERNAL", `collection failed unexpectedly: ${messageOf(error)}`, { cause: error });
}
