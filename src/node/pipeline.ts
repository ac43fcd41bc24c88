import type { AgentLog } from "../agent-log.ts";
import { Collector, type CollectorSettings } from "../collection/collector.ts";
import type { Endpoint } from "../collection/libvirt/endpoint.ts";
import { libvirtSource } from "../collection/libvirt/libvirt-source.ts";
import type { SourceCycle } from "../collection/source.ts";
import { Ticker } from "../collection/ticker.ts";
import type { EffectiveConfig } from "../config/resolve.ts";
import { TelemetryError, unexpected } from "../errors.ts";
import { isAborted } from "../lib/abort.ts";
import type { Clock } from "../lib/clock.ts";
import { needsOf } from "../measurement/registry.ts";
import type { CycleView, LibvirtView } from "../observability/agent-view.ts";
import type { Router } from "../routing/router.ts";
import { CycleRecord } from "./cycle-record.ts";
import { EndpointViews } from "./endpoint-views.ts";

export interface PipelineOptions {
  readonly router: Router;
  readonly log: AgentLog;
  readonly clock: Clock;
  /**
   * The daemons to collect from in the cycle that begins.
   * @throws {TelemetryError} when that cannot be said
   */
  readonly endpoints: () => Promise<readonly Endpoint[]>;
  /** Another configuration, or none, is in force from the next cycle on; the last with another one is over. */
  readonly onApplied?: (config: EffectiveConfig | undefined) => void;
}

/** A cycle whose endpoints are not all done after this hands on what it has. */
const EARLY_FLUSH_MS = 500;
/** How soon the first configuration is noticed. */
const IDLE_MS = 200;

/** The node's work: at every tick from libvirt to the spool, as the configuration of that moment says. */
export class Pipeline {
  readonly views: EndpointViews;
  readonly #options: PipelineOptions;
  readonly #ticker: Ticker;
  readonly #record: CycleRecord;
  #collector: Collector | undefined;
  #config: EffectiveConfig | undefined;
  #next: { readonly config: EffectiveConfig | undefined } | undefined;

  constructor(options: PipelineOptions) {
    this.#options = options;
    this.#ticker = new Ticker(IDLE_MS, options.clock);
    this.#record = new CycleRecord(options.clock);
    this.views = new EndpointViews(options.clock);
  }

  /** The configuration in force. */
  get config(): EffectiveConfig | undefined {
    return this.#config;
  }

  get cycles(): CycleView {
    const intervals = [this.#config, this.#next?.config].map((config) => config?.intervalMs ?? IDLE_MS);
    return this.#record.view(this.#ticker.skipped, Math.max(...intervals));
  }

  get libvirt(): LibvirtView {
    const { endpoints, errors, fault } = this.views;
    const { versions = [], calls = 0, blockedCalls = 0 } = this.#collector?.stats ?? {};
    return { endpoints, versions, fault, blockedCalls, calls, errors };
  }

  /** Of the libvirt daemons that are connected to. */
  get libvirtVersions(): readonly string[] {
    return this.#collector?.stats.versions ?? [];
  }

  /** Takes effect between two cycles. Without a configuration nothing is collected; what waits is still delivered. */
  configure(config: EffectiveConfig | undefined): void {
    this.#next = { config };
    this.#ticker.intervalMs = config?.intervalMs ?? IDLE_MS;
  }

  /** Runs cycles until there were enough or the signal aborts. Resolves to whether everything was collected. */
  async run(cycles: number, signal: AbortSignal): Promise<boolean> {
    const { log, router } = this.#options;
    let complete = true;
    for (let cycle = 0; cycle < cycles;) {
      if (this.#config === undefined) await this.#idle(signal);
      await this.#ticker.next(signal);
      if (isAborted(signal)) break;
      this.#record.progress();
      await this.#applyNext();
      const collector = this.#collector;
      if (collector !== undefined && this.#config?.state === "Active")
        complete = (await this.#cycle(collector)) && complete;
      if (this.#config !== undefined) cycle++;
      log.summarize({ skippedTicks: this.#ticker.skipped, droppedLines: router.droppedLines });
    }
    this.#stopCollecting();
    await router.flush();
    return complete;
  }

  /** Waits for a configuration; its first cycle is due at once. */
  async #idle(signal: AbortSignal): Promise<void> {
    const configured = (): boolean => this.#next?.config !== undefined;
    while (!configured() && !signal.aborted) {
      this.#record.progress();
      await this.#options.clock.sleep(IDLE_MS, signal);
    }
    this.#ticker.restart();
  }

  async #applyNext(): Promise<void> {
    if (this.#next === undefined) return;
    const { config } = this.#next;
    this.#next = undefined;
    this.#options.log.configured(this.#config, config);
    this.#options.onApplied?.(config);
    this.#config = config;
    if (config !== undefined) await this.#options.router.apply(config);
    if (config?.state !== "Active") this.#stopCollecting();
    else if (this.#collector === undefined)
      this.#collector = new Collector(collectorSettings(config), this.#options.clock);
    else this.#collector.configure(collectorSettings(config));
  }

  #stopCollecting(): void {
    this.#collector?.close();
    this.views.retain(new Set());
  }

  /** Returns whether everything was collected. */
  async #cycle(collector: Collector): Promise<boolean> {
    const { clock, log, router } = this.#options;
    const begun = clock.monotonic();
    let domains = 0;
    let lines = 0;
    let complete = await this.#findEndpoints(collector);
    const guarded = async (what: string, act: () => Promise<void>): Promise<void> => {
      try {
        await act();
      } catch (error) {
        complete = false;
        this.#fault(unexpected(what, error));
      }
    };
    const flush = (): Promise<void> =>
      guarded("handing lines to the buffer", async () => {
        const flushed = await router.flush();
        // Only now, because another flush may have added its own meanwhile.
        lines += flushed;
      });
    const early = setInterval(() => void flush(), EARLY_FLUSH_MS);
    await guarded("a cycle", () =>
      collector.collect(({ errors, ...collected }) => {
        const failures = collected.samples.flatMap((sample) => router.add(sample));
        const cycle = { ...collected, errors: [...errors, ...failures] };
        domains += cycle.samples.length;
        complete &&= isComplete(cycle);
        log.endpointCycle(cycle);
        this.views.add(cycle);
      }),
    );
    clearInterval(early);
    await flush();
    const durationMs = clock.monotonic() - begun;
    this.#record.done(durationMs, complete);
    log.altered({ ...router.counters });
    log.cycle({ domains, lines, durationMs, failed: !complete });
    return complete;
  }

  async #findEndpoints(collector: Collector): Promise<boolean> {
    try {
      const endpoints = await this.#options.endpoints();
      collector.setSources(endpoints.map((endpoint) => libvirtSource(endpoint, this.#options.clock)));
      const sockets = new Set(endpoints.map(({ socket }) => socket));
      this.views.retain(sockets);
      this.#options.log.retainEndpoints(sockets);
      return true;
    } catch (error) {
      const fault = error instanceof TelemetryError ? error : unexpected("looking for libvirt daemons", error);
      this.views.notFound(fault);
      this.#options.log.endpointCycle({
        endpoint: "libvirt",
        outcome: "failed",
        samples: [],
        stuck: [],
        busy: [],
        slow: [],
        errors: [fault],
        tolerated: [],
      });
      return false;
    }
  }

  #fault(error: TelemetryError): void {
    this.views.countError(error.code);
    this.#options.log.fault(error);
  }
}

function isComplete({ outcome, errors, tolerated, stuck, busy, slow }: SourceCycle): boolean {
  const missing = errors.length + tolerated.length + stuck.length + busy.length + slow.length;
  return outcome === "absent" || (outcome === "collected" && missing === 0);
}

function collectorSettings({
  timeoutMs,
  deviceCacheTtlMs,
  maxConcurrentEndpoints,
  targets,
}: EffectiveConfig): CollectorSettings {
  return {
    timeoutMs,
    deviceCacheTtlMs,
    maxConcurrentEndpoints,
    needs: needsOf(targets.flatMap(({ families }) => families)),
  };
}
