import { isDeepStrictEqual } from "node:util";
import { isAborted } from "../lib/abort.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { aggregate, type ConfigSummary } from "./aggregate.ts";
import type { Condition } from "./conditions.ts";
import type { TelemetryConfigStatus } from "./config-status.ts";
import { EventThrottle } from "./event-throttle.ts";
import type { NodeSummary } from "./node-summary.ts";
import type { WriteOutcome } from "./report-writer.ts";

/** Time between two polls for objects that are due. */
const POLL_MS = 1_000;
/** Shortest time between two aggregations of one object. */
const MIN_GAP_MS = 10_000;
/** Longest time between two aggregations: a node becomes stale, or a client overwrites a status, without an event. */
const PERIOD_MS = 240_000;
const BACKOFF = { baseMs: 20_000, capMs: 60_000 };

export interface ConfigStatusWriterOptions {
  readonly configs: () => Iterable<ConfigSummary>;
  readonly reports: () => Iterable<NodeSummary>;
  /** Whether `configs` and `reports` are up to date. While they are not, no status is written. */
  readonly current: () => boolean;
  readonly write: (config: ConfigSummary, status: TelemetryConfigStatus, signal: AbortSignal) => Promise<WriteOutcome>;
  /** Creates an Event about a condition that has changed. */
  readonly announce: (config: ConfigSummary, condition: Condition, signal: AbortSignal) => Promise<WriteOutcome>;
  /** An unplanned error; the object is retried. */
  readonly faulted: (config: ConfigSummary, error: unknown) => void;
  readonly clock: Clock;
  readonly random?: () => number;
}

/** The state of one object. */
interface Tracked {
  readonly events: EventThrottle;
  /** The status written last; the one from the watch may be older. */
  status: TelemetryConfigStatus | undefined;
  dueMs: number;
  notBeforeMs: number;
  failures: number;
}

/** Writes the status of every TelemetryConfig from the nodes' reports, with few writes. */
export class ConfigStatusWriter {
  readonly #options: ConfigStatusWriterOptions;
  /** By UID: an object that is deleted and created again is another one. */
  readonly #tracked = new Map<string, Tracked>();
  readonly #changed = new Set<string>();

  constructor(options: ConfigStatusWriterOptions) {
    this.#options = options;
  }

  /** Marks an object as due: it, or a node's report about it, has changed. */
  changed(name: string): void {
    this.#changed.add(name);
  }

  /** Reconciles the objects that are due, every second until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!isAborted(signal)) {
      if (this.#options.current()) await this.#reconcileDue(signal);
      await this.#options.clock.sleep(POLL_MS, signal);
    }
  }

  async #reconcileDue(signal: AbortSignal): Promise<void> {
    const { clock, faulted } = this.#options;
    const configs = [...this.#options.configs()];
    const uids = new Set(configs.map(({ uid }) => uid));
    for (const uid of this.#tracked.keys()) if (!uids.has(uid)) this.#tracked.delete(uid);
    for (const config of configs) {
      const tracked = this.#track(config);
      const now = clock.monotonic();
      if (this.#changed.delete(config.name)) tracked.dueMs = now;
      if (now < tracked.dueMs || now < tracked.notBeforeMs) continue;
      if (signal.aborted) return;
      tracked.dueMs = now + PERIOD_MS;
      tracked.notBeforeMs = now + MIN_GAP_MS;
      try {
        await this.#reconcile(config, tracked, signal);
      } catch (error) {
        faulted(config, error);
        this.#postpone(tracked);
      }
    }
  }

  #track({ uid, status }: ConfigSummary): Tracked {
    const tracked = this.#tracked.get(uid) ?? {
      events: new EventThrottle(status?.conditions),
      status,
      dueMs: Number.NEGATIVE_INFINITY,
      notBeforeMs: Number.NEGATIVE_INFINITY,
      failures: 0,
    };
    this.#tracked.set(uid, tracked);
    return tracked;
  }

  async #reconcile(config: ConfigSummary, tracked: Tracked, signal: AbortSignal): Promise<void> {
    const { reports, write, clock } = this.#options;
    const status = aggregate({ ...config, status: tracked.status }, [...reports()], clock.now());
    if (!isDeepStrictEqual(status, config.status)) {
      const outcome = await write(config, status, signal);
      if (outcome.kind === "failed") {
        this.#postpone(tracked, outcome.afterMs);
        return;
      }
    }
    tracked.failures = 0;
    tracked.status = status;
    await this.#announce(config, tracked, signal);
  }

  #postpone(tracked: Tracked, afterMs = 0): void {
    const { clock, random } = this.#options;
    const waitMs = Math.max(backoffMs(tracked.failures++, BACKOFF, random), afterMs, MIN_GAP_MS);
    tracked.dueMs = tracked.notBeforeMs = clock.monotonic() + waitMs;
  }

  async #announce(config: ConfigSummary, tracked: Tracked, signal: AbortSignal): Promise<void> {
    const { announce, clock } = this.#options;
    const { events, status: { conditions } = { conditions: [] } } = tracked;
    for (const condition of events.due(conditions, clock.monotonic())) {
      const outcome = await announce(config, condition, signal);
      events.record(condition, clock.monotonic(), outcome.kind === "written");
    }
    // The object is due again soon, for the Events that are not due yet.
    if (events.pending(conditions).length > 0) tracked.dueMs = tracked.notBeforeMs;
  }
}
