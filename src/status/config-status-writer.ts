import { isDeepStrictEqual } from "node:util";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { aggregate, type ConfigSummary } from "./aggregate.ts";
import { Announcements } from "./announcements.ts";
import type { Condition } from "./conditions.ts";
import type { TelemetryConfigStatus } from "./config-status.ts";
import type { NodeSummary } from "./node-summary.ts";
import type { WriteOutcome } from "./report-writer.ts";

/** How often it is looked whether an object is due; costs nothing but the look. */
const LOOK_MS = 1_000;
/** Between two aggregations of one object, however much changes. */
const APART_MS = 10_000;
/** Without any change: a node that falls silent is one, and so is a status that somebody else has written. */
const PERIOD_MS = 240_000;
const BACKOFF = { baseMs: 20_000, capMs: 60_000 };

export interface ConfigStatusWriterOptions {
  readonly configs: () => Iterable<ConfigSummary>;
  readonly reports: () => Iterable<NodeSummary>;
  /** Whether these are what the cluster has. While they are not, no status is made of them. */
  readonly current: () => boolean;
  readonly write: (config: ConfigSummary, status: TelemetryConfigStatus, signal: AbortSignal) => Promise<WriteOutcome>;
  /** Tells people of a condition that has changed. */
  readonly announce: (config: ConfigSummary, condition: Condition, signal: AbortSignal) => Promise<WriteOutcome>;
  /** Something failed that nobody planned for; the object is tried again. */
  readonly faulted: (config: ConfigSummary, error: unknown) => void;
  readonly clock: Clock;
  readonly random?: () => number;
}

/** One object as this writer knows it. */
interface Known {
  readonly announcements: Announcements;
  /** As written last; what the API server shows of it may be late. */
  status: TelemetryConfigStatus | undefined;
  dueMs: number;
  notBeforeMs: number;
  failures: number;
}

/** Keeps the status of every TelemetryConfig what the nodes' reports say, with few writes. */
export class ConfigStatusWriter {
  readonly #options: ConfigStatusWriterOptions;
  /** By UID: an object of the same name made anew is another. */
  readonly #known = new Map<string, Known>();
  readonly #changed = new Set<string>();

  constructor(options: ConfigStatusWriterOptions) {
    this.#options = options;
  }

  /** The object, or what a node reports of it, has changed. */
  changed(name: string): void {
    this.#changed.add(name);
  }

  /** Looks every second until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const ended = (): boolean => signal.aborted;
    while (!ended()) {
      if (this.#options.current()) await this.#round(signal);
      await this.#options.clock.sleep(LOOK_MS, signal);
    }
  }

  async #round(signal: AbortSignal): Promise<void> {
    const { clock, faulted } = this.#options;
    const configs = [...this.#options.configs()];
    const uids = new Set(configs.map(({ uid }) => uid));
    for (const uid of this.#known.keys()) if (!uids.has(uid)) this.#known.delete(uid);
    for (const config of configs) {
      const known = this.#knownOf(config);
      const now = clock.monotonic();
      if (this.#changed.delete(config.name)) known.dueMs = now;
      if (now < known.dueMs || now < known.notBeforeMs) continue;
      if (signal.aborted) return;
      known.dueMs = now + PERIOD_MS;
      known.notBeforeMs = now + APART_MS;
      try {
        await this.#look(config, known, signal);
      } catch (error) {
        faulted(config, error);
        this.#postpone(known);
      }
    }
  }

  #knownOf({ uid, status }: ConfigSummary): Known {
    const known = this.#known.get(uid) ?? {
      announcements: new Announcements(status?.conditions),
      status,
      dueMs: Number.NEGATIVE_INFINITY,
      notBeforeMs: Number.NEGATIVE_INFINITY,
      failures: 0,
    };
    this.#known.set(uid, known);
    return known;
  }

  async #look(config: ConfigSummary, known: Known, signal: AbortSignal): Promise<void> {
    const { reports, write, clock } = this.#options;
    const status = aggregate({ ...config, status: known.status }, [...reports()], clock.now());
    if (!isDeepStrictEqual(status, config.status)) {
      const outcome = await write(config, status, signal);
      if (outcome.kind === "failed") {
        this.#postpone(known, outcome.afterMs);
        return;
      }
    }
    known.failures = 0;
    known.status = status;
    await this.#announce(config, known, signal);
  }

  #postpone(known: Known, afterMs = 0): void {
    const { clock, random } = this.#options;
    const waitMs = Math.max(backoffMs(known.failures++, BACKOFF, random), afterMs, APART_MS);
    known.dueMs = known.notBeforeMs = clock.monotonic() + waitMs;
  }

  async #announce(config: ConfigSummary, known: Known, signal: AbortSignal): Promise<void> {
    const { announce, clock } = this.#options;
    const { announcements, status: { conditions } = { conditions: [] } } = known;
    for (const condition of announcements.due(conditions, clock.monotonic())) {
      const outcome = await announce(config, condition, signal);
      announcements.tried(condition, clock.monotonic(), outcome.kind === "written");
    }
    // What has to wait a little is looked at again then.
    if (announcements.pending(conditions).length > 0) known.dueMs = known.notBeforeMs;
  }
}
