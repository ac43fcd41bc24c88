import type { Clock } from "../lib/clock.ts";
import { EndpointCollector, type CollectionSettings, type EndpointCycle } from "./endpoint-collector.ts";

export interface CollectorSettings extends CollectionSettings {
  readonly maxConcurrentEndpoints: number;
}

/** Collects every endpoint of the node, each by itself: a late one holds up no other beyond its turn. */
export class Collector implements AsyncDisposable {
  readonly #clock: Clock;
  readonly #endpoints = new Map<string, EndpointCollector>();
  #settings: CollectorSettings;

  constructor(settings: CollectorSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  get endpoints(): readonly EndpointCollector[] {
    return [...this.#endpoints.values()];
  }

  configure(settings: CollectorSettings): void {
    this.#settings = settings;
    for (const endpoint of this.#endpoints.values()) endpoint.configure(settings);
  }

  /** Collects from these sockets from the next cycle on; those no longer named are closed. */
  async setEndpoints(sockets: readonly string[]): Promise<void> {
    for (const socket of sockets) {
      if (!this.#endpoints.has(socket)) {
        this.#endpoints.set(socket, new EndpointCollector(socket, this.#settings, this.#clock));
      }
    }
    const gone = this.endpoints.filter(({ endpoint }) => !sockets.includes(endpoint));
    for (const { endpoint } of gone) this.#endpoints.delete(endpoint);
    await Promise.all(gone.map((endpoint) => endpoint[Symbol.asyncDispose]()));
  }

  /** One cycle of all endpoints; `onCycle` gets each as soon as it is done. Never rejects on its own. */
  async collect(onCycle: (cycle: EndpointCycle) => void): Promise<void> {
    const waiting = this.#endpoints.values();
    const worker = async (): Promise<void> => {
      for (const endpoint of waiting) onCycle(await endpoint.collect());
    };
    const workers = Math.min(this.#settings.maxConcurrentEndpoints, this.#endpoints.size);
    await Promise.all(Array.from({ length: workers }, worker));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.setEndpoints([]);
  }
}
