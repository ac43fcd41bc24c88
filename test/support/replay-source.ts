import type { Source, SourceCycle, SourceFactory, SourceSettings, SourceStats } from "../../src/collection/source.ts";

/** The result of a cycle. Without an outcome, the cycle was collected. */
export type RecordedCycle = Partial<Omit<SourceCycle, "endpoint">>;

/** A source that returns recorded cycles, one after the other, and `absent` after the last. */
export class ReplaySource implements Source, SourceFactory {
  readonly id: string;
  /** Settings of the source, the newest last. */
  readonly settings: SourceSettings[] = [];
  closed = false;
  readonly #cycles: readonly RecordedCycle[];
  #replayed = 0;

  constructor(id: string, cycles: readonly RecordedCycle[]) {
    this.id = id;
    this.#cycles = cycles;
  }

  get stats(): SourceStats {
    return { qemuVersions: [], versions: ["replay"], calls: this.#replayed, blockedCalls: 0 };
  }

  create(settings: SourceSettings): Source {
    this.settings.push(settings);
    return this;
  }

  collect(): Promise<SourceCycle> {
    const { outcome = "collected", ...cycle } = this.#cycles[this.#replayed++] ?? { outcome: "absent" };
    const nothing = { samples: [], stuck: [], busy: [], slow: [], errors: [], tolerated: [] };
    return Promise.resolve({ ...nothing, ...cycle, outcome, endpoint: this.id });
  }

  configure(settings: SourceSettings): void {
    this.settings.push(settings);
  }

  close(): void {
    this.closed = true;
  }
}
