import type { Clock } from "../lib/clock.ts";
import { EndpointCollector, type CollectionSettings, type EndpointCycle } from "./endpoint-collector.ts";

export interface CollectorSettings extends CollectionSettings {
  readonly maxConcurrentEndpoints: number;
}

/** Collects every endpoint of the node, each by itself: a late one holds up no other beyond its turn. */
export class Collector {
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
  setEndpoints(sockets: readonly string[]): void {
    for (const socket of sockets) {
      if (!this.#endpoints.has(socket)) {
        this.#endpoints.set(socket, new EndpointCollector(socket, this.#settings, this.#clock));
      }
    }
    for (const [socket, endpoint] of this.#endpoints) {
      if (sockets.includes(socket)) continue;
      endpoint.close();
      this.#endpoints.delete(socket);
    }
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

  close(): void {
    this.setEndpoints([]);
  }
}
