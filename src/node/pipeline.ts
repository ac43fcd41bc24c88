import { Collector, type CollectorSettings } from "../collection/collector.ts";
import type { LatestSamples } from "../collection/latest-samples.ts";
import type { ConnectionLimit } from "../collection/libvirt/connection-limit.ts";
import type { Endpoint } from "../collection/libvirt/endpoint.ts";
import { libvirtSources } from "../collection/libvirt/libvirt-sources.ts";
import { isComplete, type SourceStats } from "../collection/source.ts";
import { unsupportedGroups } from "../collection/libvirt/raw-parameters.ts";
import { Schedule } from "../collection/schedule.ts";
import { Ticker } from "../collection/ticker.ts";
import type { EffectiveConfig } from "../config/resolve.ts";
import type { Family } from "../contract.ts";
import { TelemetryError, unexpected } from "../errors.ts";
import { isAborted } from "../lib/abort.ts";
import { msToNextRound } from "../lib/rounds.ts";
import { Waker, type WakeSignal } from "../lib/waker.ts";
import { needsOf } from "../measurement/registry.ts";
import { ReportLines } from "./report-lines.ts";
import { NodeLines, type NodeLinesOptions } from "./node-lines.ts";

/**
 * Returns the endpoints to collect from in the cycle that begins.
 * @throws {TelemetryError} if they cannot be found
 */
export type EndpointFinder = (config: EffectiveConfig) => Promise<readonly Endpoint[]>;

export interface PipelineOptions extends NodeLinesOptions {
  readonly findEndpoints: EndpointFinder;
  /** For the connections to all launchers. Without it their number has no limit. */
  readonly connections?: ConnectionLimit;
  /** Gets the samples of each cycle. */
  readonly latest?: LatestSamples | undefined;
}

/** A cycle that is not done after this hands its first lines to the spool, and the next ones after each such period. */
const EARLY_FLUSH_MS = 500;
/** The interval without a configuration. */
const IDLE_MS = 200;
/** Without a configuration the agent shows this often that it runs. Each time wakes the process, which costs most while it is idle. */
const PROGRESS_MS = 10_000;
const NO_ENDPOINTS: ReadonlySet<string> = new Set();

/** Runs the cycles of a node: each collects from libvirt and appends lines to the spool, with the configuration then active. */
export class Pipeline {
  readonly #options: PipelineOptions;
  readonly #ticker: Ticker;
  readonly #sourceOf: ReturnType<typeof libvirtSources>;
  readonly #reports: ReportLines;
  #collector: Collector | undefined;
  #schedule = new Schedule();
  /** Ticks since the schedule began, with those that were skipped. */
  #tick = 0;
  #next: { readonly config: EffectiveConfig | undefined } | undefined;
  /** Ends the wait for a configuration. */
  #configured = new Waker();

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#reports = new ReportLines(options);
    this.#sourceOf = libvirtSources(options.clock, options.connections);
    this.#ticker = new Ticker(IDLE_MS, options.clock);
  }

  get skippedTicks(): number {
    return this.#ticker.skipped;
  }

  /** The longest interval that is active now or at the next tick, in milliseconds. */
  get intervalMs(): number {
    const intervals = [this.#options.state.config, this.#next?.config].map((config) => config?.intervalMs ?? IDLE_MS);
    return Math.max(...intervals);
  }

  /** Sums over the sources of this node since the start. */
  get stats(): SourceStats {
    return this.#collector?.stats ?? { versions: [], calls: 0, blockedCalls: 0 };
  }

  /** Takes effect between two cycles. Without a configuration nothing is collected; queued lines are still delivered. */
  configure(config: EffectiveConfig | undefined): void {
    this.#next = { config };
    this.#ticker.intervalMs = config?.intervalMs ?? IDLE_MS;
    this.#configured.wake();
  }

  /** Runs a number of cycles, or until the signal aborts. Returns whether everything was collected. */
  async run(cycles: number, signal: AbortSignal): Promise<boolean> {
    const { state, router } = this.#options;
    let complete = true;
    for (let cycle = 0; cycle < cycles;) {
      if (state.config === undefined) await this.#idle(signal);
      const { skipped } = this.#ticker;
      await this.#ticker.next(signal);
      if (isAborted(signal)) break;
      this.#tick += 1 + this.#ticker.skipped - skipped;
      state.cycles.recordProgress();
      complete = (await this.#activateNext()) && complete;
      const collector = this.#collector;
      if (state.config?.state === "Active" && collector !== undefined)
        complete = (await this.#cycle(state.config, collector)) && complete;
      if (state.config !== undefined) cycle++;
      this.#recordTick();
    }
    this.#stopCollecting();
    await this.#reports.close();
    await router.flush();
    return complete;
  }

  #recordTick(): void {
    const { state, router } = this.#options;
    state.recordLosses(router.losses);
    state.recordTick({ skippedTicks: this.#ticker.skipped, droppedLines: router.droppedLines });
  }

  /** Waits for a configuration. Its first cycle is due at once. */
  async #idle(signal: AbortSignal): Promise<void> {
    const { clock, state } = this.#options;
    const configured = (): boolean => this.#next?.config !== undefined;
    const end = (): void => {
      this.#configured.wake();
    };
    signal.addEventListener("abort", end);
    while (!configured() && !isAborted(signal)) {
      this.#configured = new Waker();
      state.cycles.recordProgress();
      // Queued lines are still delivered, or lost.
      this.#recordTick();
      await clock.sleep(msToNextRound(PROGRESS_MS, clock), this.#configured);
    }
    signal.removeEventListener("abort", end);
    this.#ticker.restart();
  }

  /** Returns false if the new configuration could not be used; the next tick tries it again. */
  async #activateNext(): Promise<boolean> {
    if (this.#next === undefined) return true;
    const { state, router, clock, latest } = this.#options;
    const { config } = this.#next;
    this.#next = undefined;
    let used = true;
    try {
      if (config !== state.config) state.activate(config);
      this.#schedule = new Schedule(config?.families, config?.schedules);
      this.#tick = 0;
      // The families may have changed.
      latest?.retain(NO_ENDPOINTS);
      if (config !== undefined) await router.apply(config);
    } catch (error) {
      used = false;
      // Otherwise the targets would stay as they were until the next change. A newer configuration may have arrived.
      this.#next ??= { config };
      state.recordFailure(unexpected("using a configuration", error));
    }
    if (config?.state !== "Active") this.#stopCollecting();
    else if (this.#collector === undefined) this.#collector = new Collector(this.#collectorSettings(config), clock);
    else this.#collector.configure(this.#collectorSettings(config));
    return used;
  }

  #collectorSettings(config: EffectiveConfig): CollectorSettings {
    const { timeoutMs, deviceCacheTtlMs, freshness, maxConcurrentEndpoints } = config;
    const onReport: CollectorSettings["onReport"] = (report, endpoint) => {
      this.#reports.write(report, endpoint);
    };
    return {
      timeoutMs,
      deviceCacheTtlMs,
      freshness,
      maxConcurrentEndpoints,
      needs: needsOf(familiesOf(config), config.rawGroups),
      onReport,
    };
  }

  #stopCollecting(): void {
    this.#collector?.close();
    this.#options.router.quotas.retain([]);
    this.#options.state.endpoints.retain(NO_ENDPOINTS);
    this.#options.latest?.retain(NO_ENDPOINTS);
  }

  /** Returns whether everything was collected. */
  async #cycle(config: EffectiveConfig, collector: Collector): Promise<boolean> {
    const { clock, state, router, latest } = this.#options;
    const begun = clock.monotonic();
    let domains = 0;
    let lines = 0;
    const schedule = this.#schedule;
    const due = schedule.due(this.#tick);
    const all = familiesOf(config);
    const families = all.filter((family) => due?.has(family) ?? true);
    const { rawGroups = [] } = config;
    const dueNeeds = due && needsOf(families, rawGroups);
    const needsFor = (endpoint: string): typeof dueNeeds => {
      const own = schedule.dueOf(endpoint, due);
      return own === due
        ? dueNeeds
        : needsOf(
            all.filter((family) => own?.has(family)),
            rawGroups,
          );
    };
    const nodeLines = NodeLines.of(families, all, this.#options);
    const found = await this.#findEndpoints(config, collector);
    let complete = found;
    const guarded = async (what: string, act: () => Promise<void>): Promise<void> => {
      try {
        await act();
      } catch (error) {
        complete = false;
        state.recordFailure(unexpected(what, error));
      }
    };
    const flush = (): Promise<void> =>
      guarded("handing lines to the buffer", async () => {
        const flushed = await router.flush();
        lines += flushed;
      });
    const collected = new Waker();
    const flushing = this.#flushEarly(flush, collected);
    await guarded("a cycle", () =>
      collector.collect(({ errors, ...rest }) => {
        const { quotas } = router;
        const quota = quotas.of(rest.endpoint);
        const own = schedule.dueOf(rest.endpoint, due);
        const needs = latest && needsFor(rest.endpoint);
        schedule.record(rest.endpoint, own, rest.outcome === "collected" && rest.lacksStatistics !== true);
        const failures = rest.samples.flatMap((sample) => router.route(sample, quota, own));
        const cycle = { ...rest, errors: [...errors, ...failures, ...quotas.endCycle(rest.endpoint)] };
        domains += cycle.samples.length;
        complete &&= isComplete(cycle);
        nodeLines?.add(cycle);
        state.endpoints.recordCycle(cycle);
        latest?.record(cycle, needs);
        state.history.record(cycle);
      }, needsFor),
    );
    if (nodeLines !== undefined)
      await guarded("writing the lines of the node", () =>
        nodeLines.write(collector.stats, { skippedTicks: this.#ticker.skipped, found }),
      );
    collected.wake();
    await flushing;
    await flush();
    lines += this.#reports.takeLines();
    const unsupported = rawGroups.length === 0 ? [] : unsupportedGroups(rawGroups, collector.stats.versions);
    const durationMs = clock.monotonic() - begun;
    state.recordCycle({ domains, lines, durationMs, complete, unsupported }, router.counters);
    return complete;
  }

  /** Flushes regularly until the signal aborts, so that a slow endpoint does not delay the lines of the others. */
  async #flushEarly(flush: () => Promise<void>, signal: WakeSignal): Promise<void> {
    for (;;) {
      await this.#options.clock.sleep(EARLY_FLUSH_MS, signal);
      if (isAborted(signal)) return;
      await flush();
    }
  }

  async #findEndpoints(config: EffectiveConfig, collector: Collector): Promise<boolean> {
    const { state, router, findEndpoints, latest } = this.#options;
    try {
      const endpoints = await findEndpoints(config);
      collector.setSources(endpoints.map(this.#sourceOf));
      router.quotas.retain(endpoints);
      const sockets = new Set(endpoints.map(({ socket }) => socket));
      state.endpoints.retain(sockets);
      latest?.retain(sockets);
      this.#schedule.retain(sockets);
      return true;
    } catch (error) {
      const fault = error instanceof TelemetryError ? error : unexpected("looking for libvirt daemons", error);
      state.recordEndpointsNotFound(fault);
      return false;
    }
  }
}

/** Returns the families that a target receives. */
function familiesOf({ targets }: EffectiveConfig): readonly Family[] {
  return targets.flatMap(({ families }) => families);
}
