import type { Clock } from "../lib/clock.ts";
import { Waker } from "../lib/waker.ts";
import type { StatsNeed } from "./stats-needs.ts";
import type { Source, SourceCycle, SourceFactory, SourceSettings, SourceStats } from "./source.ts";

export interface CollectorSettings extends SourceSettings {
  /** How many sources are collected at the same time. */
  readonly maxConcurrentEndpoints: number;
}

/** How long a source can delay the next one. A healthy source with one domain takes a few milliseconds. */
const TURN_MS = 500;

/** Collects all sources of the node. A slow source delays the next one by TURN_MS at most. */
export class Collector {
  readonly #clock: Clock;
  readonly #sources = new Map<string, Source>();
  #settings: CollectorSettings;
  /** Calls of closed sources. */
  #closedCalls = 0;

  constructor(settings: CollectorSettings, clock: Clock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  /** Sums of all sources. Versions are sorted and unique; `calls` counts since the collector was created. */
  get stats(): SourceStats {
    const all = [...this.#sources.values()].map(({ stats }) => stats);
    const qemuVersions = sortedUnique(all.flatMap(({ qemuVersions: some = [] }) => some));
    return {
      versions: sortedUnique(all.flatMap(({ versions }) => versions)),
      ...(qemuVersions.length > 0 && { qemuVersions }),
      calls: all.reduce((sum, { calls }) => sum + calls, this.#closedCalls),
      blockedCalls: all.reduce((sum, { blockedCalls }) => sum + blockedCalls, 0),
    };
  }

  configure(settings: CollectorSettings): void {
    this.#settings = settings;
    for (const source of this.#sources.values()) source.configure(settings);
  }

  /** Collects from these sources from the next cycle on. Creates the new ones and closes those that are not listed. */
  setSources(factories: readonly SourceFactory[]): void {
    for (const factory of factories) {
      if (!this.#sources.has(factory.id)) this.#sources.set(factory.id, factory.create(this.#settings));
    }
    const listed = new Set(factories.map(({ id }) => id));
    for (const [id, source] of this.#sources) {
      if (listed.has(id)) continue;
      source.close();
      this.#closedCalls += source.stats.calls;
      this.#sources.delete(id);
    }
  }

  /**
   * Runs one cycle of all sources and passes each result to `onCycle` as soon as it is available. `needsFor` returns the needs
   * of a source in this cycle, by its id; without them it has all needs of the settings. Rejects only if `onCycle` throws, and
   * only after all sources are done.
   */
  async collect(
    onCycle: (cycle: SourceCycle) => void,
    needsFor: (id: string) => readonly StatsNeed[] | undefined = () => undefined,
  ): Promise<void> {
    const waiting = this.#sources.values();
    const all: Promise<void>[] = [];
    const failures: unknown[] = [];
    const worker = async (): Promise<void> => {
      for (const source of waiting) {
        const done = new Waker();
        const collected = source
          .collect(needsFor(source.id))
          .then(onCycle)
          .catch((error: unknown) => void failures.push(error))
          .finally(() => {
            done.wake();
          });
        // A source that waits for its daemon uses no CPU, so the next one may start.
        all.push(collected);
        await this.#clock.sleep(TURN_MS, done);
      }
    };
    const workers = Math.min(this.#settings.maxConcurrentEndpoints, this.#sources.size);
    await Promise.all(Array.from({ length: workers }, worker));
    await Promise.all(all);
    if (failures.length > 0) throw failures[0];
  }

  /** Closes all sources. The collector can be used again. */
  close(): void {
    this.setSources([]);
  }
}

function sortedUnique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].sort();
}
