import { isAborted } from "../lib/abort.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { conditionsKey } from "./conditions.ts";
import { nodeReport, type NodeObservation } from "./node-report.ts";
import type { NodeTelemetryStatus } from "./node-telemetry.ts";

/** How often the agent looks at itself; costs nothing but the look. */
const POLL_MS = 1_000;
/** A transition must last this long to be written. */
const HOLD_DOWN_MS = 30_000;
/** After a change of configuration all nodes would write at one moment. */
const SPREAD_MS = 60_000;
/** A report is wrong for a minute at most; the difference is noticed one look late, and written one look late. */
const MAX_DELAY_MS = 60_000 - 2 * POLL_MS;
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

/** Something that is not written yet. */
interface Pending {
  /** What has to last until `dueMs`: the state, or after a change of configuration the configuration. */
  readonly key: string;
  readonly dueMs: number;
  /** The write is due then too, whatever has changed meanwhile; it counts from the first difference. */
  readonly latestMs: number;
}

/**
 * Decides when this node's report is worth a write. Thousands of nodes write to one API server, so a write is due:
 * - when a transition has lasted for 30 s;
 * - after a change of configuration at a random moment of the next minute, drawn once for each configuration;
 * - a minute after the report began to differ from what is written, whatever flaps: the state of that moment is written.
 *   This limits the two above: the first of the moments counts. A report that is as written again has no difference, and
 *   the minute begins anew with the next one;
 * - when counts have changed for minutes, and once an hour.
 *
 * So a flapper whose states last less than the hold-down makes one write a minute at most. After a write that failed the server may hold either report: the
 * present one is written as soon as the backoff allows.
 */
export class ReportWriter {
  readonly #options: ReportWriterOptions;
  readonly #random: () => number;
  #written: NodeTelemetryStatus | undefined;
  #writtenAtMs = Number.NEGATIVE_INFINITY;
  #heartbeatMs = 0;
  #pending: Pending | undefined;
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
    while (!isAborted(signal)) {
      await this.#poll(signal);
      await this.#options.clock.sleep(POLL_MS, signal);
    }
  }

  async #poll(signal: AbortSignal): Promise<void> {
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
    if (this.#failures > 0) return true;
    const written = this.#written;
    const since = now - this.#writtenAtMs;
    if (written !== undefined && transitionKey(report) === transitionKey(written)) {
      this.#pending = undefined;
      return since >= this.#heartbeatMs || (since >= REFRESH_MS && countKey(report) !== countKey(written));
    }
    const spread = written === undefined || configKey(report) !== configKey(written);
    const key = spread ? configKey(report) : transitionKey(report);
    if (this.#pending?.key !== key) {
      const dueMs = now + (spread ? this.#random() * SPREAD_MS : HOLD_DOWN_MS);
      this.#pending = { key, dueMs, latestMs: this.#pending?.latestMs ?? now + MAX_DELAY_MS };
    }
    return now >= Math.min(this.#pending.dueMs, this.#pending.latestMs);
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
