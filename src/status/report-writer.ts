import { isAborted } from "../lib/abort.ts";
import { backoffMs } from "../lib/backoff.ts";
import type { Clock } from "../lib/clock.ts";
import { msToNextRound } from "../lib/rounds.ts";
import { conditionsKey } from "./conditions.ts";
import { nodeReport, type NodeObservation } from "./node-report.ts";
import type { NodeTelemetryStatus } from "./node-telemetry.ts";

/** Longest time between two observations of the agent, and so until a difference is noticed. */
const POLL_MS = 5_000;
/** A transition must last this long to be written. */
const HOLD_DOWN_MS = 30_000;
/** A report is wrong for a minute at most, including one poll to notice the difference and a second to write it. */
const MAX_DELAY_MS = 60_000 - POLL_MS - 1_000;
/** Spreads the writes of all nodes after a change of a TelemetryConfig. */
const SPREAD_MS = MAX_DELAY_MS;
/** Shortest time between two writes that only change counts. */
const REFRESH_MS = 300_000;
/** Time after which an unchanged report is written again. */
const HEARTBEAT_MS = 3_600_000;
const BACKOFF = { baseMs: 2_000, capMs: 300_000 };

/** The result of a write. */
export type WriteOutcome =
  | { readonly kind: "written" }
  /** The server does not answer, is overloaded, or rejects the write. `afterMs` is its Retry-After. */
  | { readonly kind: "failed"; readonly afterMs?: number };

export interface ReportWriterOptions {
  readonly observe: () => NodeObservation;
  readonly write: (status: NodeTelemetryStatus, signal: AbortSignal) => Promise<WriteOutcome>;
  /** The report of an earlier agent of this node. Unchanged conditions keep their times. */
  readonly before?: NodeTelemetryStatus | undefined;
  readonly clock: Clock;
  readonly random?: () => number;
}

/** A change that is not written yet. */
interface Pending {
  /** The state, or after a change of configuration the configuration. A write is due if it stays the same until `dueMs`. */
  readonly key: string;
  readonly dueMs: number;
  /** A write is due at this time at the latest. It counts from the first difference and does not move. */
  readonly latestMs: number;
}

/**
 * Decides when to write this node's report. Thousands of nodes write to one API server, so a write is due at the first of
 * these times:
 * - a transition has lasted for 30 s;
 * - after a change of configuration: a random time within a minute, one for each configuration;
 * - a minute after the report began to differ from the written one. A state that changes again and again is written about once
 *   a minute. The minute starts again if the report is the same as the written one in between;
 * - counts differ from the written ones, and the last write was five minutes ago;
 * - an hour has passed since the last write.
 *
 * After a failed write the server can have either report, so the writer retries with the current one after a backoff.
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

  constructor(options: ReportWriterOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#written = options.before;
  }

  /** Observes the agent every few seconds until the signal aborts, and writes the report when it is due. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!isAborted(signal)) {
      await this.#poll(signal);
      const dueInMs = Math.max(1, Math.ceil(this.#dueMs() - clock.monotonic()));
      await clock.sleep(Math.min(msToNextRound(POLL_MS, clock), dueInMs), signal);
    }
  }

  /** Returns when a write that is waited for is due. */
  #dueMs(): number {
    if (this.#failures > 0) return this.#notBeforeMs;
    return this.#pending === undefined ? Infinity : Math.min(this.#pending.dueMs, this.#pending.latestMs);
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
    this.#failures = 0;
    this.#written = report;
    this.#writtenAtMs = clock.monotonic();
    // An hour, 10 % more or less: nodes that started together drift apart.
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
    return now >= this.#dueMs();
  }
}

function configKey({ config, selectedBy }: NodeTelemetryStatus): string {
  return JSON.stringify([config?.uid, config?.observedGeneration, selectedBy]);
}

/** Returns a key that changes with every transition, but not with a count. */
function transitionKey(status: NodeTelemetryStatus): string {
  const targets = status.targets.map(({ name, state, reason }) => `${name}=${state}/${reason}`);
  return JSON.stringify([configKey(status), conditionsKey(status.conditions), targets, status.agent.podUID]);
}

function countKey({ libvirt }: NodeTelemetryStatus): string {
  return JSON.stringify(libvirt);
}
