import { Collector } from "../collection/collector.ts";
import { domainOverviews, type DomainOverview } from "../collection/domain-overview.ts";
import { libvirtSources } from "../collection/libvirt/libvirt-sources.ts";
import { isComplete, unansweredDomains, type SourceCycle } from "../collection/source.ts";
import { BALLOON, DEVICES } from "../collection/stats-needs.ts";
import { DEFAULT_CONCURRENT_ENDPOINTS, DEFAULT_DEVICE_CACHE_MS, defaultTimeoutMs } from "../config/defaults.ts";
import { TelemetryError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { foreignText } from "../lib/display-text.ts";
import { EndpointStates } from "../node/endpoint-states.ts";
import { SHOWN_FAMILIES, type ShownFamily } from "./columns.ts";
import { ALL_VMS, localEndpoints, type EndpointPlaces } from "../node/endpoints.ts";

/** Of a socket's path and an error. */
const MAX_FAULT = 1_500;

/** The node after a cycle. */
export interface NodeSnapshot {
  readonly domains: readonly DomainOverview[];
  readonly endpoints: number;
  /** Errors of the cycle, one text for each endpoint that has one. */
  readonly faults: readonly string[];
  /** Whether everything was collected. */
  readonly complete: boolean;
  /** What else is missing: VMs without an answer of their QEMU, and daemons that do not answer yet. It often passes. */
  readonly missing: readonly string[];
}

/** Collects the domains of this node, without an agent or an API server. */
export class NodeWatch implements Disposable {
  readonly #collector: Collector;
  readonly #sourceOf: ReturnType<typeof libvirtSources>;
  readonly #states: EndpointStates;
  readonly #find: ReturnType<typeof localEndpoints>;

  constructor(locations: EndpointPlaces, intervalMs: number, clock: Clock, families: readonly ShownFamily[] = []) {
    this.#find = localEndpoints(locations, clock);
    this.#sourceOf = libvirtSources(clock);
    this.#states = new EndpointStates(clock);
    this.#collector = new Collector(
      {
        timeoutMs: defaultTimeoutMs(intervalMs),
        deviceCacheTtlMs: DEFAULT_DEVICE_CACHE_MS,
        maxConcurrentEndpoints: DEFAULT_CONCURRENT_ENDPOINTS,
        needs: [...new Set([DEVICES, BALLOON, ...families.flatMap((family) => SHOWN_FAMILIES[family])])],
      },
      clock,
    );
  }

  /**
   * Runs one cycle and returns its result.
   * @throws {TelemetryError} if the libvirt daemons of the node cannot be found
   */
  async collect(): Promise<NodeSnapshot> {
    const endpoints = await this.#find(ALL_VMS);
    this.#collector.setSources(endpoints.map(this.#sourceOf));
    this.#states.retain(new Set(endpoints.map(({ socket }) => socket)));
    const incomplete: SourceCycle[] = [];
    await this.#collector.collect((cycle) => {
      this.#states.recordCycle(cycle);
      if (!isComplete(cycle)) incomplete.push(cycle);
    });
    const { views } = this.#states;
    return {
      domains: views.flatMap(domainOverviews),
      endpoints: views.filter(({ state }) => state !== "absent").length,
      faults: views.flatMap(({ endpoint, state, error }) =>
        error === undefined || state === "absent" ? [] : [faultText(endpoint, error)],
      ),
      complete: incomplete.length === 0,
      missing: incomplete.flatMap(missingTexts),
    };
  }

  /** Runs one cycle as `collect` does. If the daemons cannot be found, the result has the reason as its only fault. */
  async collectOrFault(): Promise<NodeSnapshot> {
    try {
      return await this.collect();
    } catch (error) {
      if (!(error instanceof TelemetryError)) throw error;
      const faults = [foreignText(`${error.code}: ${error.message}`, MAX_FAULT)];
      return { domains: [], endpoints: 0, faults, complete: false, missing: [] };
    }
  }

  [Symbol.dispose](): void {
    this.#collector.close();
  }
}

function missingTexts({ endpoint, tolerated, ...unanswered }: SourceCycle): readonly string[] {
  return [
    ...unansweredDomains(unanswered).map((sentence) => foreignText(`${endpoint}: ${sentence}`, MAX_FAULT)),
    ...tolerated.map((error) => faultText(endpoint, error)),
  ];
}

/** Returns `socket: code: message`. Some messages begin with the socket already; it is printed once. */
function faultText(socket: string, { code, message }: { readonly code: string; readonly message: string }): string {
  const prefix = `${socket}: `;
  const rest = message.startsWith(prefix) ? message.slice(prefix.length) : message;
  return foreignText(`${prefix}${code}: ${rest}`, MAX_FAULT);
}
