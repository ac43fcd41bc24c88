import type { SourceCycle } from "../collection/source.ts";
import type { TelemetryError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { EndpointView } from "../observability/agent-view.ts";

/** What is known of the node's libvirt daemons at this moment, for whoever wants to say it. */
export class EndpointViews {
  readonly #clock: Clock;
  readonly #endpoints = new Map<string, EndpointView>();
  readonly #errors = new Map<string, number>();
  #fault: TelemetryError | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get endpoints(): readonly EndpointView[] {
    return [...this.#endpoints.values()];
  }

  get domains(): number {
    return this.endpoints.reduce((sum, { samples }) => sum + samples.length, 0);
  }

  /** How often what went wrong, by its code. */
  get errors(): ReadonlyMap<string, number> {
    return this.#errors;
  }

  /** Why it is not known which daemons there are. */
  get fault(): TelemetryError | undefined {
    return this.#fault;
  }

  add(cycle: SourceCycle): void {
    const { endpoint, outcome, samples, stuck, busy, errors } = cycle;
    if (outcome === "skipped") return;
    // That of a launcher that comes or goes is no failure.
    if (outcome !== "absent") for (const { code } of errors) this.countError(code);
    const state = stateOf(cycle);
    const before = this.#endpoints.get(endpoint);
    const lasts = before !== undefined && answers(before) === answers({ state });
    this.#endpoints.set(endpoint, {
      endpoint,
      state,
      sinceMs: lasts ? before.sinceMs : this.#clock.monotonic(),
      samples,
      before: before?.samples ?? [],
      stuck,
      busy,
      error: errors[0],
    });
  }

  /** These are the daemons that there are; the others are forgotten. */
  retain(endpoints: ReadonlySet<string>): void {
    this.#fault = undefined;
    for (const endpoint of this.#endpoints.keys()) if (!endpoints.has(endpoint)) this.#endpoints.delete(endpoint);
  }

  /** The daemons could not be found; what was known of them stays. */
  notFound(error: TelemetryError): void {
    this.#fault = error;
    this.countError(error.code);
  }

  /** Counts a failure that is of no endpoint in particular. */
  countError(code: string): void {
    this.#errors.set(code, (this.#errors.get(code) ?? 0) + 1);
  }
}

/** Whether its last cycle that was not skipped brought statistics. */
export function answers({ state }: Pick<EndpointView, "state">): boolean {
  return state === "up" || state === "stuck";
}

function stateOf({ outcome, stuck }: SourceCycle): EndpointView["state"] {
  if (outcome === "failed") return "failed";
  if (outcome === "absent" || outcome === "starting") return "absent";
  return stuck.length > 0 ? "stuck" : "up";
}
