import { RECEIVED_BYTES } from "../../budget.ts";
import type { BudgetError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { LibvirtError } from "../../libvirt/errors.ts";
import { SharedLimits } from "../../libvirt/peer.ts";
import { STATS_GROUP } from "../../libvirt/protocol.ts";
import type { DomainRef } from "../../libvirt/types.ts";
import { BudgetChecks } from "./budget-checks.ts";
import type { BulkReply } from "./bulk-reply.ts";
import { BulkStats } from "./bulk-stats.ts";
import { CircuitBreaker } from "./circuit-breaker.ts";
import { CallsAhead } from "./calls-ahead.ts";
import { CycleErrors, reportLimit } from "./cycle-errors.ts";
import { CycleReports, type CycleContext, type DomainAnswer } from "./cycle-reports.ts";
import { DaemonSession, type SessionOptions } from "./daemon-session.ts";
import { BasicInfoReader, isGone, type BasicInfo } from "./basic-info.ts";
import { DomainDevices } from "./domain-devices.ts";
import { DomainList, notListed } from "./domain-list.ts";
import { DomainHistory, type VmName } from "./domain-history.ts";
import type { DomainSample } from "../domain-sample.ts";
import type { Source, SourceCycle, SourceSettings, SourceStats, UnansweredDomains } from "../source.ts";
import type { VmReport } from "../vm-report.ts";
import { KeptValues } from "./kept-values.ts";
import type { Endpoint } from "./endpoint.ts";
import { ParameterShare } from "./parameter-share.ts";
import { progressCheckMs } from "./time-limits.ts";
import { cpuSample, domainState, memorySample, type DomainReport } from "./sample-mapping.ts";
import { DEVICES, VERSIONS } from "../stats-needs.ts";
import { DomainReadings, readersOfCycle, type ReadingOptions } from "./stats-readers.ts";
import { STUCK_MS } from "./blocked-calls.ts";
import { CycleResponses } from "./cycle-responses.ts";
import { DomainEvents } from "./domain-events.ts";
import { QemuResponses, STARTING_MS } from "./qemu-responses.ts";

/** Collects the domains of one libvirt daemon, over connections of its own. */
export class LibvirtSource implements Source {
  readonly id: string;
  readonly #identify: Endpoint["identify"];
  readonly #transient: boolean;
  readonly #firstSeenMs: number;
  readonly #clock: Clock;
  readonly #breaker: CircuitBreaker;
  readonly #daemon: DaemonSession;
  readonly #bulk: BulkStats;
  readonly #devices: DomainDevices;
  readonly #vm: string | undefined;
  readonly #checks: BudgetChecks | undefined;
  readonly #share: ParameterShare;
  readonly #history = new DomainHistory();
  readonly #readings: DomainReadings;
  readonly #kept: KeptValues;
  readonly #events: DomainEvents;
  readonly #responses: QemuResponses;
  readonly #list: DomainList;
  readonly #infos: BasicInfoReader;
  readonly #ahead: CallsAhead;
  #settings: SourceSettings;

  constructor(
    endpoint: Endpoint,
    settings: SourceSettings,
    clock: Clock,
    shared: SharedLimits = new SharedLimits(RECEIVED_BYTES),
    connections?: SessionOptions["connections"],
  ) {
    const { socket, identify, transient = false, budget, vm } = endpoint;
    this.id = socket;
    this.#identify = identify;
    this.#transient = transient;
    this.#firstSeenMs = clock.monotonic();
    this.#settings = settings;
    this.#clock = clock;
    this.#breaker = new CircuitBreaker(clock);
    this.#vm = vm;
    this.#checks = budget && new BudgetChecks(budget, clock);
    this.#readings = new DomainReadings(settings.needs, this.#checks);
    this.#kept = new KeptValues(settings);
    const share = new ParameterShare(shared.parameters, budget, clock);
    this.#share = share;
    this.#devices = new DomainDevices(settings, { daemon: () => this.#daemon, share, clock, budget });
    this.#responses = new QemuResponses(clock);
    this.#list = new DomainList(clock);
    this.#infos = new BasicInfoReader(clock);
    const onLost = (): void => {
      // The next connection may be to another daemon, so what is known about this one is not valid for it.
      this.#infos.reset();
      this.#devices.invalidate();
      this.#kept.clear();
    };
    const emit = (report: VmReport): void => this.#settings.onReport?.(report, socket);
    const { needs } = settings;
    this.#events = new DomainEvents({ identify, history: this.#history, checks: this.#checks, clock, emit, needs });
    this.#daemon = new DaemonSession(endpoint, { shared, clock, onLost, follower: this.#events, connections });
    this.#bulk = new BulkStats(this.#daemon, clock, share.count);
    this.#ahead = new CallsAhead(this.#infos, this.#bulk);
  }

  get stats(): SourceStats {
    const { versions, qemuVersions, calls } = this.#daemon;
    return { versions, qemuVersions, calls, blockedCalls: this.#bulk.blockedCalls };
  }

  configure(settings: SourceSettings): void {
    this.#settings = settings;
    if (this.#events.configure(settings.needs)) this.#daemon.close();
    this.#devices.configure(settings);
    this.#kept.configure(settings);
    this.#readings.configure(settings.needs);
  }

  async collect(needs = this.#settings.needs): Promise<SourceCycle> {
    const nothing = { endpoint: this.id, samples: [], stuck: [], busy: [], slow: [] };
    const found = new CycleErrors(this.#vm);
    if (!this.#breaker.allows || !this.#share.isDue()) return { ...nothing, ...found.lists, outcome: "skipped" };
    try {
      const collected = await this.#cycle(needs, this.#clock.monotonic() + this.#settings.timeoutMs, found);
      const limitError = this.#daemon.takeLimitError();
      if (limitError !== undefined) throw limitError;
      if (found.rejection !== undefined) return { ...nothing, ...this.#cutOff(found.rejection) };
      this.#breaker.succeeded();
      return { ...nothing, ...collected, ...this.#share.addError(found.lists, this.#vm), outcome: "collected" };
    } catch (error) {
      found.report(this.#daemon.takeLimitError() ?? error, { tolerate: this.#isStarting });
      if (found.rejection !== undefined) return { ...nothing, ...this.#cutOff(found.rejection) };
      this.#readings.interrupt();
      // Another connection may get an answer.
      if (error instanceof LibvirtError && error.code === "E_LIBVIRT_TIMEOUT") this.#daemon.replace();
      if (found.errors.length === 0) return { ...nothing, ...found.lists, outcome: "starting" };
      this.#breaker.failed();
      const absent = this.#transient && found.errors.every(({ code }) => code === "E_LIBVIRT_UNREACHABLE");
      return { ...nothing, ...found.lists, outcome: absent ? "absent" : "failed" };
    } finally {
      this.#bulk.leaveAhead();
    }
  }

  close(): void {
    this.#share.giveBack();
    this.#events.close();
    this.#daemon.close();
    this.#bulk.close();
  }

  /** Leaves out everything from a launcher that exceeds its budget, and closes its connections until the next attempt. */
  #cutOff(error: BudgetError): Pick<SourceCycle, "outcome" | "errors" | "tolerated"> {
    this.#breaker.rejected();
    this.close();
    return { outcome: "failed", errors: [error], tolerated: [] };
  }

  /** Only a transient daemon can be starting: others may be old although this source is new. */
  get #isStarting(): boolean {
    return this.#transient && this.#clock.monotonic() - this.#firstSeenMs < STARTING_MS;
  }

  async #cycle(
    needs: SourceSettings["needs"],
    deadline: number,
    found: CycleErrors,
  ): Promise<Pick<SourceCycle, "samples" | "lacksStatistics"> & UnansweredDomains> {
    const session = await this.#daemon.session(deadline);
    if (needs.includes(VERSIONS)) this.#daemon.learnQemuVersion(session);
    const leftMs = (): number => Math.max(1, deadline - this.#clock.monotonic());
    const start = { monotonicMs: this.#clock.monotonic(), timestampMs: this.#clock.now() };
    const probeMs = progressCheckMs(this.#settings.timeoutMs);
    const listing = this.#list.read(session, probeMs, deadline);
    // The reason of a state shows whether this domain is the source or the target of a live migration.
    const state = this.#identify === undefined ? 0 : STATS_GROUP.STATE;
    this.#ahead.call(session, (domain) => state | this.#kept.groupsOf(needs, [domain], "unavailable", start).asked, {
      deadlineMs: leftMs() / 2,
      checkMs: probeMs,
    });
    const { domains: listed, lateMs } = await listing;
    if (lateMs === 0) this.#retain(listed, start.timestampMs);
    else this.#readings.interrupt();
    const report = (error: unknown, tolerate = false, domain?: DomainRef): void => {
      found.report(error, { tolerate: tolerate || this.#isStarting, domain });
    };
    if (lateMs >= STUCK_MS) report(notListed(lateMs));
    for (const error of this.#events.takeErrors()) report(error);
    const infos = await this.#infos.read(session, listed, {
      deadline: this.#clock.monotonic() + leftMs() / 2,
      probeMs,
      isStarting: (domain) => this.#responses.isStarting(domain),
      report,
    });
    const domains = infos.map(({ domain }) => domain);
    let bulk: BulkReply | undefined;
    const calledMs = this.#clock.monotonic();
    const wanted = this.#kept.groupsOf(needs, domains, this.#infos.cpuTimesOf(infos), start);
    const groups = state | wanted.asked;
    if (groups !== 0 && domains.length > 0) {
      try {
        bulk = await this.#bulk.read(groups, domains, deadline);
        this.#share.charge();
      } catch (error) {
        // The basic information is valid without statistics.
        report(error);
      }
    }
    const reports = new CycleReports(this.#bulk, bulk, { groups, deadline, checks: this.#checks });
    const readers = readersOfCycle(needs, this.#settings.needs);
    const responses = new CycleResponses(this.#responses, this.#bulk);
    const sampleOf = async (info: BasicInfo): Promise<DomainSample[]> => {
      const { domain } = info;
      if (!reports.isRunning(domain)) return [];
      const first = await reports.available(domain);
      const { state, reason } = domainState(info, first?.params);
      const vm: VmName | undefined = this.#identify === undefined ? domain : this.#identify(domain, state, reason);
      if (vm === undefined) return [];
      const answer = await this.#completeReport(domain, first, { needs, wanted, reports, report, leftMs });
      if (answer === undefined) return [];
      const { stats, devices } = answer;
      responses.record(domain, stats);
      const kept = this.#kept.take(domain, wanted, { params: stats?.params, layout: answer.layout }, start);
      const memory = memorySample(info, kept);
      const sample: DomainSample = {
        timestampMs: bulk?.timestampMs ?? start.timestampMs,
        state,
        cpu: cpuSample(info, stats?.params, kept),
        memory,
        nics: devices?.nics,
        disks: devices?.disks,
        ...this.#history.update(domain, { memory, cpuTimeNs: info.info.cpuTimeNs }, vm),
      };
      this.#events.observe({ domain, identity: sample.identity, migration: vm.migration }, session, needs);
      if (readers.length === 0) return [sample];
      const about = { info, vm, sample, report: stats, kept, layout: devices?.layout };
      return [await this.#withReadings(readers, about, { report, leftMs })];
    };
    // A failure in one domain must not affect the samples of the others.
    const failed = ({ domain }: BasicInfo, error: unknown): DomainSample[] => {
      report(error, false, domain);
      return [];
    };
    const samples = await Promise.all(
      infos.map((info) => sampleOf(info).catch((error: unknown) => failed(info, error))),
    );
    if (responses.notCalled.length > 0) reportLimit(bulk?.limitedBy, this.#bulk.blockedCalls, report);
    const unanswered = await responses.classify(this.#settings.needs, calledMs, (domain) =>
      this.#daemon.lastCall(deadline, (session, options) => session.domainControlInfo(domain, options)),
    );
    if (lateMs === 0 && domains.length === listed.length) this.#ahead.expect(session, domains);
    const lacksStatistics = domains.length > 0 && reports.lackStatistics;
    return { samples: samples.flat(), ...unanswered, ...(lacksStatistics && { lacksStatistics }) };
  }

  /** @throws {BudgetError} if the list exceeds the budget */
  #retain(listed: readonly DomainRef[], nowMs: number): void {
    this.#checks?.checkDomains(listed);
    for (const known of [this.#devices, this.#history, this.#responses, this.#kept]) known.retain(listed);
    this.#readings.observe(listed, nowMs);
    this.#events.retain(listed);
  }

  /** Returns the domain's statistics, completed by late replies, and its devices; undefined if the domain has ended. */
  async #completeReport(
    domain: DomainRef,
    first: DomainReport | undefined,
    { needs, wanted: { asked, kept }, reports, report, leftMs }: CycleContext,
  ): Promise<DomainAnswer | undefined> {
    const answerOf = async (stats: DomainReport | undefined): Promise<DomainAnswer> => {
      if (stats === undefined) return { stats };
      if (!needs.includes(DEVICES))
        return (asked & kept) === 0 ? { stats } : { stats, layout: await this.#devices.layout(domain, leftMs()) };
      const devices = await this.#devices.samples(domain, stats, leftMs());
      return { stats, devices, layout: devices.layout };
    };
    let answer: DomainAnswer = { stats: first };
    try {
      answer = await answerOf(first);
      const stats = await reports.completed(domain);
      // The devices are usually cached already.
      if (stats !== undefined) answer = await answerOf(stats);
    } catch (error) {
      if (isGone(error)) return undefined;
      report(error, this.#responses.isStarting(domain));
    }
    return answer;
  }

  async #withReadings(
    readers: ReturnType<typeof readersOfCycle>,
    about: Omit<ReadingOptions, "call" | "onFailed">,
    { report, leftMs }: Pick<CycleContext, "report" | "leftMs">,
  ): Promise<DomainSample> {
    const onFailed = (error: unknown): undefined => {
      report(error, this.#responses.isStarting(about.info.domain));
    };
    const call: ReadingOptions["call"] = (ask) => this.#daemon.lastCall(this.#clock.monotonic() + leftMs(), ask);
    const readings = await this.#readings.read(readers, { ...about, call, onFailed }).catch(onFailed);
    return readings === undefined ? about.sample : { ...about.sample, readings };
  }
}
