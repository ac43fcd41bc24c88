import { LoadHistory } from "../collection/load-history.ts";
import type { DomainIdentity } from "../collection/domain-sample.ts";
import type { EffectiveConfig } from "../config/resolve.ts";
import type { TelemetryError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { LineCounters } from "../measurement/line-protocol.ts";
import type { Losses } from "../spool/losses.ts";
import { CycleStats } from "./cycle-stats.ts";
import { EndpointStates, type EndpointObserver } from "./endpoint-states.ts";

/** A cycle of all endpoints that has ended. */
export interface CompletedCycle {
  readonly domains: number;
  readonly lines: number;
  readonly durationMs: number;
  /** Whether everything was collected. */
  readonly complete: boolean;
  /** Groups of `raw.groups` that a libvirt of the node is too old for. */
  readonly unsupported?: readonly string[];
}

/** A value that libvirt did not report in a cycle. */
export interface MissingValue {
  /** Number of domains without the value. */
  readonly domains: number;
  /** One of these domains. */
  readonly example: DomainIdentity;
}

/** Counters since the start, and the number of domains in the last cycle. */
export interface NodeTotals {
  readonly cycles: number;
  readonly failedCycles: number;
  readonly domains: number;
  readonly lines: number;
  readonly skippedTicks: number;
  readonly droppedLines: number;
}

/** Receives the transitions of a node's state. Targets and the spool have observers of their own. */
export interface NodeObserver extends EndpointObserver {
  /** Between two cycles another configuration became active, or none. */
  configured(before: EffectiveConfig | undefined, after: EffectiveConfig | undefined): void;
  /** The endpoints could not be found. Called once until they are found. */
  endpointsNotFound(error: TelemetryError): void;
  /** A failure that belongs to no endpoint. Called for each one. */
  failed(error: TelemetryError): void;
  /** `missing` has field names such as `vm_totals.memusable`; `altered` counts since the start. */
  cycleCompleted(
    cycle: CompletedCycle,
    missing: ReadonlyMap<string, MissingValue>,
    altered: Readonly<LineCounters>,
  ): void;
  /** The queued lines that were lost since the start, by reason. Called at each tick. */
  linesLost(losses: Losses): void;
  /** The end of a tick, with or without a cycle. */
  ticked(totals: NodeTotals): void;
}

/** What a node collects, and how well. The pipeline writes it; the log, the status page, metrics and reports read it. */
export class NodeState {
  readonly endpoints: EndpointStates;
  readonly cycles: CycleStats;
  readonly history = new LoadHistory();
  readonly #observer: NodeObserver;
  #config: EffectiveConfig | undefined;
  #missing = new Map<string, { domains: number; example: DomainIdentity }>();

  constructor(observer: NodeObserver, clock: Clock) {
    this.endpoints = new EndpointStates(clock, observer);
    this.cycles = new CycleStats(clock);
    this.#observer = observer;
  }

  /** The active configuration. */
  get config(): EffectiveConfig | undefined {
    return this.#config;
  }

  activate(config: EffectiveConfig | undefined): void {
    const before = this.#config;
    this.#config = config;
    this.#observer.configured(before, config);
  }

  recordEndpointsNotFound(error: TelemetryError): void {
    if (this.endpoints.recordFault(error)) this.#observer.endpointsNotFound(error);
  }

  /** Records a failure that belongs to no endpoint. */
  recordFailure(error: TelemetryError): void {
    this.endpoints.countError(error.code);
    this.#observer.failed(error);
  }

  /** Counts a value that libvirt did not report for a domain. All values of one domain are reported in a row. */
  countMissing(field: string, domain: DomainIdentity): void {
    const known = this.#missing.get(field);
    if (known === undefined) this.#missing.set(field, { domains: 1, example: domain });
    // A domain counts once, although each of its devices may lack the value.
    else if (known.example !== domain) {
      known.domains++;
      known.example = domain;
    }
  }

  recordCycle(cycle: CompletedCycle, altered: Readonly<LineCounters>): void {
    const missing = this.#missing;
    this.#missing = new Map();
    this.cycles.record(cycle);
    this.history.endCycle();
    this.#observer.cycleCompleted(cycle, missing, altered);
  }

  recordLosses(losses: Losses): void {
    this.#observer.linesLost(losses);
  }

  recordTick({ skippedTicks, droppedLines }: Pick<NodeTotals, "skippedTicks" | "droppedLines">): void {
    const { count, incomplete, lines } = this.cycles;
    const { domains } = this.endpoints;
    this.#observer.ticked({ cycles: count, failedCycles: incomplete, domains, lines, skippedTicks, droppedLines });
  }
}
