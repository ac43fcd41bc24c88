import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { conditionsKey } from "./conditions.ts";
import { nodeReport, type NodeObservation } from "./node-report.ts";
import type { NodeTelemetryStatus } from "./node-telemetry.ts";

/** How often the agent looks at itself; costs nothing but the look. */
const LOOK_MS = 1_000;
/** A transition must last this long to be written early. */
const HOLD_DOWN_MS = 30_000;
/** After a change of configuration all nodes would write at one moment. */
const SPREAD_MS = 60_000;
/** A difference is on the server a minute after it began: it may be a look old when it is seen, and the next look writes. */
const WRITE_WITHIN_MS = 60_000 - 2 * LOOK_MS;
/** Other numbers than those of a transition are refreshed this often at most. */
const REFRESH_MS = 300_000;
/** A sign of life. */
const HEARTBEAT_MS = 3_600_000;
const BACKOFF = { baseMs: 2_000, capMs: 300_000 };

/** What became of a write. */
export type WriteOutcome =
  | { readonly kind: "written" }
  /** Not now: the server is away, busy, or refuses. */
  | { readonly kind: "failed"; readonly afterMs?: number };

export interface ReportWriterOptions {
  readonly observe: () => NodeObservation;
  readonly write: (status: NodeTelemetryStatus, signal: AbortSignal) => Promise<WriteOutcome>;
  /** The report of an earlier agent of this node, if there is one: its conditions keep their times. */
  readonly before?: NodeTelemetryStatus | undefined;
  readonly clock: Clock;
  readonly random?: () => number;
}

/**
 * Decides when this node's report is worth a write: on a transition that lasts, spread over a minute after a change of
 * configuration, when counts have changed for minutes, and once an hour. Thousands of nodes write to one API server.
 * Whatever flaps, a report that differs from the written one is written at the latest 60 s after the difference began.
 * Only a state that returns to the written one before that is not written.
 */
export class ReportWriter {
  readonly #options: ReportWriterOptions;
  readonly #random: () => number;
  #written: NodeTelemetryStatus | undefined;
  #writtenAtMs = Number.NEGATIVE_INFINITY;
  #heartbeatMs = 0;
  /** The transition that waits to be written, and since when the report differs from the written one. */
  #pending: { readonly key: string; readonly dueMs: number; readonly differsSinceMs: number } | undefined;
  #failures = 0;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #writes = 0;

  constructor(options: ReportWriterOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#written = options.before;
  }

  get writes(): number {
    return this.#writes;
  }

  /** Looks every second until the signal aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const ended = (): boolean => signal.aborted;
    while (!ended()) {
      await this.#look(signal);
      await this.#options.clock.sleep(LOOK_MS, signal);
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { observe, write, clock } = this.#options;
    const now = clock.monotonic();
    const report = nodeReport(observe(), this.#written, clock.now());
    if (!this.#isDue(report, now) || now < this.#notBeforeMs) return;
    const outcome = await write(report, signal);
    if (outcome.kind === "failed") {
      const waitMs = Math.max(backoffMs(this.#failures++, BACKOFF, this.#random), outcome.afterMs ?? 0);
      this.#notBeforeMs = clock.monotonic() + waitMs;
      return;
    }
    this.#writes++;
    this.#failures = 0;
    this.#written = report;
    this.#writtenAtMs = clock.monotonic();
    // An hour give or take a tenth: nodes that started together drift apart.
    this.#heartbeatMs = HEARTBEAT_MS * (0.9 + 0.2 * this.#random());
    this.#pending = undefined;
  }

  #isDue(report: NodeTelemetryStatus, now: number): boolean {
    const written = this.#written;
    const since = now - this.#writtenAtMs;
    if (written !== undefined && transitionKey(report) === transitionKey(written)) {
      this.#pending = undefined;
      return since >= this.#heartbeatMs || (since >= REFRESH_MS && countKey(report) !== countKey(written));
    }
    const key = transitionKey(report);
    if (this.#pending?.key !== key) {
      const { differsSinceMs = now } = this.#pending ?? {};
      const spread = written === undefined || configKey(report) !== configKey(written);
      const dueMs = now + (spread ? this.#random() * SPREAD_MS : HOLD_DOWN_MS);
      this.#pending = { key, dueMs: Math.min(dueMs, differsSinceMs + WRITE_WITHIN_MS), differsSinceMs };
    }
    return now >= this.#pending.dueMs;
  }
}

function configKey({ config, selectedBy }: NodeTelemetryStatus): string {
  return JSON.stringify([config?.uid, config?.observedGeneration, selectedBy]);
}

/** All whose change is a transition. */
function transitionKey(status: NodeTelemetryStatus): string {
  const targets = status.targets.map(({ name, state, reason }) => `${name}=${state}/${reason}`);
  return JSON.stringify([configKey(status), conditionsKey(status.conditions), targets, status.agent.podUID]);
}

function countKey({ libvirt }: NodeTelemetryStatus): string {
  return JSON.stringify(libvirt);
}
