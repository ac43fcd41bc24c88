import type { Clock } from "../lib/clock.ts";
import type { CallCount } from "./daemon-session.ts";
import { EndpointCollector } from "./endpoint-collector.ts";
import type { CollectionSettings, Endpoint, EndpointCycle } from "./endpoint.ts";

export interface CollectorSettings extends CollectionSettings {
  readonly maxConcurrentEndpoints: number;
}

/** How long an endpoint keeps others from their turn; a healthy one with one domain takes a few milliseconds. */
const TURN_MS = 500;

/** Collects every endpoint of the node, each by itself: a late one holds up no other beyond its turn. */
export class Collector {
  readonly #clock: Clock;
  readonly #endpoints = new Map<string, EndpointCollector>();
  readonly #count: CallCount;
  #settings: CollectorSettings;

  constructor(settings: CollectorSettings, clock: Clock, count: CallCount = { calls: 0 }) {
    this.#settings = settings;
    this.#clock = clock;
    this.#count = count;
  }

  get endpoints(): readonly EndpointCollector[] {
    return [...this.#endpoints.values()];
  }

  /** Calls that stuck domains hold at this moment. */
  get heldWorkers(): number {
    return this.endpoints.reduce((sum, { heldWorkers }) => sum + heldWorkers, 0);
  }

  configure(settings: CollectorSettings): void {
    this.#settings = settings;
    for (const endpoint of this.#endpoints.values()) endpoint.configure(settings);
  }

  /** Collects from these from the next cycle on; those no longer named are closed. A socket stands for its endpoint. */
  setEndpoints(endpoints: readonly Endpoint[]): void {
    for (const endpoint of endpoints) {
      if (!this.#endpoints.has(endpoint.socket))
        this.#endpoints.set(endpoint.socket, new EndpointCollector(endpoint, this.#settings, this.#clock, this.#count));
    }
    const named = new Set(endpoints.map(({ socket }) => socket));
    for (const [socket, endpoint] of this.#endpoints) {
      if (named.has(socket)) continue;
      endpoint.close();
      this.#endpoints.delete(socket);
    }
  }

  /**
   * One cycle of all endpoints; `onCycle` gets each as soon as it is done. Rejects only with what `onCycle` has thrown,
   * after all endpoints.
   */
  async collect(onCycle: (cycle: EndpointCycle) => void): Promise<void> {
    const waiting = this.#endpoints.values();
    const all: Promise<void>[] = [];
    const failures: unknown[] = [];
    const worker = async (): Promise<void> => {
      for (const endpoint of waiting) {
        const done = new AbortController();
        const collected = endpoint
          .collect()
          .then(onCycle)
          .catch((error: unknown) => void failures.push(error))
          .finally(() => {
            done.abort();
          });
        // A daemon that does not answer costs nothing while it is waited for: the next one takes its turn.
        all.push(collected);
        await this.#clock.sleep(TURN_MS, done.signal);
      }
    };
    const workers = Math.min(this.#settings.maxConcurrentEndpoints, this.#endpoints.size);
    await Promise.all(Array.from({ length: workers }, worker));
    await Promise.all(all);
    if (failures.length > 0) throw failures[0];
  }

  close(): void {
    this.setEndpoints([]);
  }
}
