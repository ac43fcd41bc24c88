import type { EndpointCycle } from "../collection/endpoint-collector.ts";
import type { Clock } from "../lib/clock.ts";

/** How one libvirt daemon is doing, from its last cycles. */
export interface EndpointView {
  readonly endpoint: string;
  /** Whether its last cycle that was not skipped brought statistics. */
  readonly up: boolean;
  /** On the monotonic clock: since when `up` is what it is. */
  readonly sinceMs: number;
  /** Domains in its last good cycle that were collected. */
  readonly domains: number;
  /** Names of domains whose QEMU does not answer. */
  readonly stuck: readonly string[];
  readonly error: EndpointCycle["errors"][number] | undefined;
}

/** What is known of the node's libvirt daemons at this moment, for whoever wants to say it. */
export class EndpointViews {
  readonly #clock: Clock;
  readonly #endpoints = new Map<string, EndpointView>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get endpoints(): readonly EndpointView[] {
    return [...this.#endpoints.values()];
  }

  get domains(): number {
    return this.endpoints.reduce((sum, { domains }) => sum + domains, 0);
  }

  add({ endpoint, outcome, samples, stuck, errors }: EndpointCycle): void {
    if (outcome === "skipped") return;
    const up = outcome === "collected";
    const before = this.#endpoints.get(endpoint);
    const sinceMs = before?.up === up ? before.sinceMs : this.#clock.monotonic();
    this.#endpoints.set(endpoint, { endpoint, up, sinceMs, domains: samples.length, stuck, error: errors[0] });
  }

  /** Forgets the daemons that are not among these. */
  retain(endpoints: ReadonlySet<string>): void {
    for (const endpoint of this.#endpoints.keys()) if (!endpoints.has(endpoint)) this.#endpoints.delete(endpoint);
  }
}
