import { REJECTION_REASONS, type RejectionReason } from "../budget.ts";
import { latestDetails } from "../collection/domain-details.ts";
import { vmLabel } from "../collection/domain-overview.ts";
import { KeptSamples } from "../collection/kept-samples.ts";
import { isMisbehavior, type SourceCycle, type SourceError } from "../collection/source.ts";
import { domainKey } from "../discovery/domain-name.ts";
import type { TelemetryError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { EndpointView } from "../observability/agent-view.ts";

/** Why a domain has no values of QEMU: QEMU does not answer, or another client's job occupies the domain. */
export type Silence = "stuck" | "busy";

/** Receives the transitions of endpoints and their domains. */
export interface EndpointObserver {
  /** The daemon of a launcher that is starting or ending does not exist. */
  endpointAbsent(endpoint: string): void;
  /** A cycle that was not skipped. */
  endpointCycle(cycle: SourceCycle): void;
  /** The endpoint is gone. */
  endpointForgotten(endpoint: string): void;
  domainSilent(endpoint: string, domain: string, silence: Silence): void;
  /** QEMU answers again, or the domain is gone. */
  domainNotSilent(endpoint: string, domain: string): void;
  /** `vm` is `namespace/name`, or its name on a plain host. */
  domainAppeared(endpoint: string, vm: string): void;
  domainGone(endpoint: string, vm: string): void;
}

/** The part of a view that needs no samples. */
export type EndpointSummary = Omit<EndpointView, "samples" | "before" | "devices">;

/** Cycles of an endpoint that its view shows. */
interface ShownCycles {
  readonly samples: KeptSamples;
  readonly before: KeptSamples;
  /** The last two cycles with devices, usually the same ones. */
  readonly devices: { readonly before: KeptSamples; readonly samples: KeptSamples };
}

interface EndpointState {
  readonly outcome: SourceCycle["outcome"];
  readonly summary: EndpointSummary;
  readonly cycles: ShownCycles;
  /** Name of a silent domain -> why, in the last cycle that collected. */
  readonly silences: ReadonlyMap<string, Silence>;
  /** UUID and id of a domain -> its VM, `namespace/name`, in the last cycle that collected. */
  readonly domains: ReadonlyMap<string, string>;
}

const NO_DOMAINS: Pick<EndpointState, "silences" | "domains"> = { silences: new Map(), domains: new Map() };
const NO_SAMPLES = new KeptSamples();
NO_SAMPLES.isShared = true;
const NO_CYCLES: ShownCycles = {
  samples: NO_SAMPLES,
  before: NO_SAMPLES,
  devices: { before: NO_SAMPLES, samples: NO_SAMPLES },
};

/** The state of each endpoint of the node. Reports transitions to an observer. */
export class EndpointStates {
  readonly #clock: Clock;
  readonly #observer: EndpointObserver | undefined;
  readonly #states = new Map<string, EndpointState>();
  readonly #errors = new Map<string, number>();
  readonly #rejections = new Map<RejectionReason, number>(REJECTION_REASONS.map((reason) => [reason, 0]));
  #fault: TelemetryError | undefined;

  constructor(clock: Clock, observer?: EndpointObserver) {
    this.#clock = clock;
    this.#observer = observer;
  }

  /** The views with the samples, which are made when they are read. */
  get views(): readonly EndpointView[] {
    return [...this.#states.values()].map(viewOf);
  }

  /** The views without the samples. They cost nothing. */
  get summaries(): readonly EndpointSummary[] {
    return [...this.#states.values()].map(({ summary }) => summary);
  }

  /** Number of domains in the last cycle. */
  get domains(): number {
    let domains = 0;
    for (const { cycles } of this.#states.values()) domains += cycles.samples.size;
    return domains;
  }

  /** Number of errors since the start, by code. */
  get errors(): ReadonlyMap<string, number> {
    return this.#errors;
  }

  /** How often an endpoint exceeded its budget since the start, for every reason. */
  get rejections(): ReadonlyMap<RejectionReason, number> {
    return this.#rejections;
  }

  /** Why the endpoints of the node are unknown. */
  get fault(): TelemetryError | undefined {
    return this.#fault;
  }

  recordCycle(cycle: SourceCycle): void {
    const { endpoint, outcome } = cycle;
    if (outcome === "skipped") return;
    const before = this.#states.get(endpoint);
    // A launcher that is starting or ending has no daemon; this is not a failure.
    if (outcome !== "absent") for (const error of cycle.errors) this.#count(error);
    const collected = outcome === "collected";
    const state: EndpointState = {
      outcome,
      summary: this.#summaryOf(cycle, before?.summary),
      silences: collected ? silencesOf(cycle) : (before ?? NO_DOMAINS).silences,
      domains: collected ? domainsOf(cycle, before) : (before ?? NO_DOMAINS).domains,
      // After what compares with the last cycle: it may replace that cycle.
      cycles: nextCycles(cycle, before?.cycles),
    };
    this.#states.set(endpoint, state);
    if (this.#observer === undefined) return;
    if (outcome === "absent" && before?.outcome !== "absent") this.#observer.endpointAbsent(endpoint);
    this.#observer.endpointCycle(cycle);
    reportDomains(endpoint, before, state, this.#observer);
  }

  /** Forgets all other endpoints. Called with the endpoints that were found for a cycle. */
  retain(endpoints: ReadonlySet<string>): void {
    this.#fault = undefined;
    for (const endpoint of this.#states.keys()) {
      if (endpoints.has(endpoint)) continue;
      this.#states.delete(endpoint);
      this.#observer?.endpointForgotten(endpoint);
    }
  }

  /** Records that the endpoints could not be found. The known endpoints keep their states. Returns whether this is new. */
  recordFault(error: TelemetryError): boolean {
    const isNew = this.#fault === undefined;
    this.#fault = error;
    this.countError(error.code);
    return isNew;
  }

  /** Counts an error that belongs to no endpoint. */
  countError(code: string): void {
    this.#errors.set(code, (this.#errors.get(code) ?? 0) + 1);
  }

  #count({ code, rejection }: SourceError): void {
    this.countError(code);
    if (rejection !== undefined) this.#rejections.set(rejection, (this.#rejections.get(rejection) ?? 0) + 1);
  }

  #summaryOf(cycle: SourceCycle, before: EndpointSummary | undefined): EndpointSummary {
    const { endpoint, samples, stuck, busy, errors } = cycle;
    const state = stateOf(cycle);
    const lasts = before !== undefined && answers(before) === answers({ state });
    return {
      endpoint,
      state,
      sinceMs: lasts ? before.sinceMs : this.#clock.monotonic(),
      details: latestDetails(samples, before?.details),
      stuck,
      busy,
      error: errors.find(isMisbehavior) ?? errors[0],
    };
  }
}

function viewOf({ summary, cycles: { samples, before, devices } }: EndpointState): EndpointView {
  for (const cycle of [samples, before, devices.before, devices.samples]) cycle.isShared = true;
  return {
    ...summary,
    get samples() {
      return samples.samples;
    },
    get before() {
      return before.samples;
    },
    get devices() {
      return { before: devices.before.samples, samples: devices.samples.samples };
    },
  };
}

/** Returns the cycles that are shown after this one. It takes the place of a cycle that is not shown any more. */
function nextCycles(
  { samples }: SourceCycle,
  { samples: last, before, devices }: ShownCycles = NO_CYCLES,
): ShownCycles {
  const hasDevices = samples.some(({ nics }) => nics !== undefined);
  const needed = hasDevices ? [last, devices.samples] : [last, devices.samples, devices.before];
  const unused = [before, devices.before].find((cycle) => !cycle.isShared && !needed.includes(cycle));
  const kept = unused ?? new KeptSamples();
  kept.record(samples);
  return { samples: kept, before: last, devices: hasDevices ? { before: devices.samples, samples: kept } : devices };
}

/** Returns whether the last cycle that was not skipped has collected statistics. */
export function answers({ state }: Pick<EndpointView, "state">): boolean {
  return state === "up" || state === "stuck";
}

function stateOf({ outcome, stuck }: SourceCycle): EndpointView["state"] {
  if (outcome === "failed") return "failed";
  if (outcome === "absent" || outcome === "starting") return "absent";
  return stuck.length > 0 ? "stuck" : "up";
}

function silencesOf({ stuck, busy }: SourceCycle): ReadonlyMap<string, Silence> {
  return new Map([
    ...stuck.map((domain) => [domain, "stuck"] as const),
    ...busy.map((domain) => [domain, "busy"] as const),
  ]);
}

function domainsOf({ samples }: SourceCycle, before: EndpointState | undefined): ReadonlyMap<string, string> {
  if (before?.cycles.samples.isOfDomains(samples) === true && samples.length > 0) return before.domains;
  return new Map(samples.map(({ identity }) => [domainKey(identity), vmLabel(identity)]));
}

function reportDomains(
  endpoint: string,
  { silences, domains }: Pick<EndpointState, "silences" | "domains"> = NO_DOMAINS,
  after: EndpointState,
  observer: EndpointObserver,
): void {
  for (const [domain, silence] of after.silences)
    if (silences.get(domain) !== silence) observer.domainSilent(endpoint, domain, silence);
  for (const domain of silences.keys()) if (!after.silences.has(domain)) observer.domainNotSilent(endpoint, domain);
  for (const [key, vm] of after.domains) if (!domains.has(key)) observer.domainAppeared(endpoint, vm);
  for (const [key, vm] of domains) if (!after.domains.has(key)) observer.domainGone(endpoint, vm);
}
