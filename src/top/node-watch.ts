import { Collector } from "../collection/collector.ts";
import { domainOverviews, type DomainOverview } from "../collection/domain-overview.ts";
import { BALLOON, DEVICES } from "../collection/stats-needs.ts";
import { TelemetryError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { EndpointViews } from "../node/endpoint-views.ts";
import { ALL_VMS } from "../node/launcher-endpoints.ts";
import { localEndpoints } from "../node/local-endpoints.ts";
import type { NodeOptions } from "../node/role.ts";

/** Longer than a daemon takes that is well. */
const MAX_TIMEOUT_MS = 8_000;
const DEVICE_CACHE_MS = 300_000;
const CONCURRENT_ENDPOINTS = 16;

export type NodePlaces = Pick<NodeOptions, "podsDir" | "libvirtSockets">;

/** What is known of the node after a cycle. */
export interface NodePicture {
  readonly domains: readonly DomainOverview[];
  readonly endpoints: number;
  /** What could not be collected, and why. */
  readonly faults: readonly string[];
}

/** Collects the domains of this node for itself alone, with no agent and no API server. */
export class NodeWatch implements Disposable {
  readonly #collector: Collector;
  readonly #views: EndpointViews;
  readonly #find: ReturnType<typeof localEndpoints>;

  constructor(places: NodePlaces, intervalMs: number, clock: Clock) {
    this.#find = localEndpoints(places, () => ALL_VMS.vms, clock);
    this.#views = new EndpointViews(clock);
    this.#collector = new Collector(
      {
        timeoutMs: Math.min(intervalMs * 0.8, MAX_TIMEOUT_MS),
        deviceCacheTtlMs: DEVICE_CACHE_MS,
        maxConcurrentEndpoints: CONCURRENT_ENDPOINTS,
        needs: [DEVICES, BALLOON],
      },
      clock,
    );
  }

  /**
   * One cycle.
   * @throws {TelemetryError} when it cannot be said which libvirt daemons there are
   */
  async look(): Promise<NodePicture> {
    const endpoints = await this.#find();
    this.#collector.setEndpoints(endpoints);
    this.#views.retain(new Set(endpoints.map(({ socket }) => socket)));
    await this.#collector.collect((cycle) => {
      this.#views.add(cycle);
    });
    const views = this.#views.endpoints;
    return {
      domains: views.flatMap(domainOverviews),
      endpoints: views.filter(({ state }) => state !== "absent").length,
      faults: views.flatMap(({ endpoint, state, error }) =>
        error === undefined || state === "absent" ? [] : [`${endpoint}: ${error.code}: ${error.message}`],
      ),
    };
  }

  /** One cycle; that the daemons cannot be found any more is a fault among others. */
  async lookOn(): Promise<NodePicture> {
    try {
      return await this.look();
    } catch (error) {
      if (!(error instanceof TelemetryError)) throw error;
      return { domains: [], endpoints: 0, faults: [`${error.code}: ${error.message}`] };
    }
  }

  [Symbol.dispose](): void {
    this.#collector.close();
  }
}
