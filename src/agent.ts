import { AgentLog } from "./agent-log.ts";
import { Collector, type CollectorSettings } from "./collection/collector.ts";
import { Ticker } from "./collection/ticker.ts";
import { ConfigFile, loadConfigFile } from "./config/file-source.ts";
import type { EffectiveConfig } from "./config/resolve.ts";
import { secretsDirectory } from "./config/secrets-dir.ts";
import { findLibvirtSocket } from "./discovery/libvirt-sockets.ts";
import { TelemetryError } from "./errors.ts";
import { systemClock } from "./lib/clock.ts";
import type { Logger } from "./log.ts";
import { Outputs } from "./outputs.ts";
import { VERSION } from "./version.ts";

export interface AgentOptions {
  readonly configFile: string;
  /** Infinity: until the signal. */
  readonly cycles: number;
  readonly nodeName: string | undefined;
  /** The first standard socket that exists, if not given. */
  readonly libvirtSockets: readonly string[] | undefined;
  readonly secretsDir: string | undefined;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

/** A cycle whose endpoints are not all done after this hands on what it has. */
const EARLY_FLUSH_MS = 500;
/** For what is left when the agent ends on a signal. */
const SHUTDOWN_DRAIN_MS = 5_000;
/** For what is left after the last of a limited number of cycles: a target may need a retry. */
const FINAL_DRAIN_MS = 30_000;

/** Runs the node role without Kubernetes. Resolves to the exit code. */
export async function runAgent(options: AgentOptions): Promise<number> {
  const { log, signal } = options;
  const secrets = secretsDirectory(options.secretsDir);
  const agent = new Agent(options, await loadConfigFile(options.configFile, secrets));
  const file = new ConfigFile(options.configFile, secrets, agent.config, systemClock);
  const reload = (): void => {
    file.reload();
  };
  process.on("SIGHUP", reload);
  const ended = new AbortController();
  const following = file.follow(
    {
      changed: (config) => {
        agent.reconfigure(config);
      },
      invalid: (error) => {
        log.error({ code: error.code }, `the configuration before stays in force: ${error.message}`);
      },
    },
    AbortSignal.any([signal, ended.signal]),
  );
  try {
    return await agent.run();
  } finally {
    process.off("SIGHUP", reload);
    ended.abort();
    await following;
  }
}

class Agent {
  readonly #options: AgentOptions;
  readonly #log: AgentLog;
  readonly #collector: Collector;
  readonly #outputs: Outputs;
  readonly #ticker: Ticker;
  #config: EffectiveConfig;
  #next: EffectiveConfig | undefined;

  constructor(options: AgentOptions, config: EffectiveConfig) {
    this.#options = options;
    this.#config = config;
    this.#log = new AgentLog(options.log, systemClock);
    this.#collector = new Collector(collectorSettings(config), systemClock);
    this.#ticker = new Ticker(config.intervalMs, systemClock);
    this.#outputs = new Outputs({
      node: options.nodeName,
      clock: systemClock,
      observer: this.#log,
      onMissing: (field, domain) => {
        this.#log.missing(field, domain);
      },
    });
  }

  get config(): EffectiveConfig {
    return this.#config;
  }

  /** Takes effect between two cycles. */
  reconfigure(config: EffectiveConfig): void {
    this.#next = config;
    this.#ticker.intervalMs = config.intervalMs;
  }

  async run(): Promise<number> {
    const { cycles, signal, log } = this.#options;
    await this.#outputs.apply(this.#config);
    log.info(
      {
        version: VERSION,
        node: this.#options.nodeName,
        sockets: this.#options.libvirtSockets,
        ...describe(this.#config),
      },
      "started",
    );
    let complete = true;
    for (let cycle = 0; cycle < cycles; cycle++) {
      await this.#ticker.next(signal);
      if (signal.aborted) break;
      await this.#applyNext();
      if (this.#config.state === "Active") complete = (await this.#cycle()) && complete;
      this.#log.summarize({ skippedTicks: this.#ticker.skipped, droppedLines: this.#outputs.droppedLines });
    }
    return (await this.#end(complete)) ? 0 : 1;
  }

  async #applyNext(): Promise<void> {
    if (this.#next === undefined) return;
    this.#config = this.#next;
    this.#next = undefined;
    this.#collector.configure(collectorSettings(this.#config));
    await this.#outputs.apply(this.#config);
    this.#options.log.info(describe(this.#config), "configuration changed");
  }

  /** Returns whether everything was collected. */
  async #cycle(): Promise<boolean> {
    const begun = systemClock.monotonic();
    let domains = 0;
    let lines = 0;
    let complete = await this.#findEndpoints();
    const flush = async (): Promise<void> => {
      const flushed = await this.#outputs.flush();
      // Only now, because another flush may have added its own meanwhile.
      lines += flushed;
    };
    const early = setInterval(() => void flush(), EARLY_FLUSH_MS);
    await this.#collector.collect((cycle) => {
      this.#log.endpointCycle(cycle);
      for (const sample of cycle.samples) this.#outputs.add(sample);
      domains += cycle.samples.length;
      complete &&= cycle.outcome === "collected" && cycle.errors.length === 0 && cycle.stuck.length === 0;
    });
    clearInterval(early);
    await flush();
    this.#log.altered({ ...this.#outputs.counters });
    this.#log.cycle({ domains, lines, durationMs: systemClock.monotonic() - begun, failed: !complete });
    return complete;
  }

  async #findEndpoints(): Promise<boolean> {
    if (this.#collector.endpoints.length > 0) return true;
    try {
      const sockets = this.#options.libvirtSockets ?? [await findLibvirtSocket()];
      this.#collector.setEndpoints(sockets.map((socket) => ({ socket })));
      return true;
    } catch (error) {
      if (!(error instanceof TelemetryError)) throw error;
      this.#log.endpointCycle({ endpoint: "libvirt", outcome: "failed", samples: [], stuck: [], errors: [error] });
      return false;
    }
  }

  /** Stops sampling first, then delivers what is left. Returns whether nothing went wrong that a caller would miss. */
  async #end(complete: boolean): Promise<boolean> {
    const { cycles, signal, log } = this.#options;
    this.#collector.close();
    await this.#outputs.flush();
    const limited = Number.isFinite(cycles) && !signal.aborted;
    const deadline = AbortSignal.timeout(limited ? FINAL_DRAIN_MS : SHUTDOWN_DRAIN_MS);
    const delivered = await this.#outputs.drain(limited ? AbortSignal.any([deadline, signal]) : deadline);
    await this.#outputs.stop();
    const rejectedLines = this.#outputs.senders.reduce((sum, { state }) => sum + state.rejectedLines, 0);
    const undeliveredLines = this.#outputs.senders.reduce((sum, { backlog }) => sum + backlog.lines, 0);
    log.info({ undeliveredLines, rejectedLines }, "stopped");
    return signal.aborted || (complete && delivered && rejectedLines === 0);
  }
}

function collectorSettings({
  timeoutMs,
  deviceCacheTtlMs,
  maxConcurrentEndpoints,
  targets,
}: EffectiveConfig): CollectorSettings {
  const families = new Set(targets.flatMap((target) => target.families));
  const totals = families.has("Totals");
  return {
    timeoutMs,
    deviceCacheTtlMs,
    maxConcurrentEndpoints,
    needs: { devices: totals || families.has("Devices"), totals },
  };
}

/** What the log may say of a configuration. */
function describe({ state, intervalMs, families, targets }: EffectiveConfig): object {
  return {
    state,
    intervalMs,
    families,
    targets: targets.map(({ name, url, protocol }) => ({ name, url, version: protocol.version })),
  };
}
