import type { DomainIdentity, DomainSample } from "./collection/domain-sample.ts";
import type { EffectiveConfig, EffectiveTarget } from "./config/resolve.ts";
import { matchesVm } from "./config/selectors.ts";
import { Sender, type SenderOptions } from "./delivery/sender.ts";
import { newLineCounters } from "./measurement/counters.ts";
import { Encoder, type MissingListener } from "./measurement/encoder.ts";
import { MemorySpool } from "./spool/memory-spool.ts";

/** Lines that the same targets want. */
interface Stream {
  readonly encoder: Encoder;
  /** Their names. */
  readonly targets: readonly string[];
}

export interface OutputOptions extends SenderOptions {
  readonly node: string | undefined;
  readonly onMissing: MissingListener;
}

/** Everything behind collection: encoders, spool and senders, as the configuration wants them. */
export class Outputs {
  readonly counters = newLineCounters();
  readonly #options: OutputOptions;
  readonly #spool: MemorySpool;
  readonly #senders = new Map<string, Sender>();
  #config: EffectiveConfig | undefined;
  /** Names of the targets that want a VM -> streams, of which each family is in one: a line is made and kept once. */
  #audiences = new Map<string, readonly Stream[]>();
  // A domain keeps its identity object from cycle to cycle, so its targets are found once in its life.
  #audienceOf = new WeakMap<DomainIdentity, readonly Stream[]>();

  constructor(options: OutputOptions) {
    this.#options = options;
    this.#spool = new MemorySpool({ maxBytes: 0, maxAgeMs: 0 }, options.clock);
  }

  get senders(): readonly Sender[] {
    return [...this.#senders.values()];
  }

  get droppedLines(): number {
    return this.#spool.stats.droppedLines;
  }

  /**
   * Changes to this configuration. What was added before goes to whom it was meant for, and what waits for a target that
   * stays is kept, whatever else changes about that target.
   */
  async apply(config: EffectiveConfig): Promise<void> {
    const flushed = this.flush();
    this.#config = config;
    this.#audiences = new Map();
    this.#audienceOf = new WeakMap();
    await flushed;
    const wanted = new Set(config.targets.map(({ name }) => name));
    for (const [name, sender] of this.#senders) {
      if (wanted.has(name)) continue;
      this.#senders.delete(name);
      await sender.stop();
      this.#spool.removeCursor(name);
    }
    // Only now: what nobody needs any more must not cost others their place.
    this.#spool.caps = config.buffer;
    for (const target of config.targets) this.#applyTarget(target);
  }

  /** Encodes a sample for all who want it. */
  add(sample: DomainSample): void {
    for (const { encoder } of this.#streamsFor(sample.identity)) encoder.add(sample);
  }

  /** Hands what was encoded to the spool; returns how many lines, counted once however many targets get them. */
  async flush(): Promise<number> {
    const batches = [...this.#audiences.values()]
      .flat()
      .map(({ encoder, targets }) => ({ batch: encoder.take(), targets }));
    await Promise.all(batches.map(({ batch, targets }) => this.#spool.append(batch, targets)));
    return batches.reduce((sum, { batch }) => sum + batch.lines, 0);
  }

  /** Resolves to whether every target took everything before the signal aborted. */
  async drain(signal: AbortSignal): Promise<boolean> {
    const drained = await Promise.all(this.senders.map((sender) => sender.drain(signal)));
    return drained.every(Boolean);
  }

  async stop(): Promise<void> {
    await Promise.all(this.senders.map((sender) => sender.stop()));
  }

  #streamsFor(identity: DomainIdentity): readonly Stream[] {
    const known = this.#audienceOf.get(identity);
    if (known !== undefined || this.#config === undefined) return known ?? [];
    const { namespace = "", labels = {} } = identity;
    const targets = this.#config.targets.filter(({ vms }) => matchesVm(vms, namespace, labels));
    // Names of targets hold no comma.
    const key = targets.map(({ name }) => name).join(",");
    const streams = this.#audiences.get(key) ?? this.#streamsOf(this.#config, targets);
    this.#audiences.set(key, streams);
    this.#audienceOf.set(identity, streams);
    return streams;
  }

  #streamsOf(
    { families, onMissing, measurementPrefix, staticTags }: EffectiveConfig,
    targets: readonly EffectiveTarget[],
  ): readonly Stream[] {
    const { node, onMissing: listener } = this.#options;
    const wanting = families.map((family) => ({
      family,
      targets: targets.filter((target) => target.families.includes(family)).map(({ name }) => name),
    }));
    return [...Map.groupBy(wanting, ({ targets }) => targets.join(",")).values()].flatMap((group) => {
      const names = group[0]?.targets ?? [];
      if (names.length === 0) return [];
      const options = {
        families: group.map(({ family }) => family),
        onMissing,
        measurementPrefix,
        node,
        staticTags,
      };
      return [{ encoder: new Encoder(options, this.counters, listener), targets: names }];
    });
  }

  #applyTarget(target: EffectiveTarget): void {
    const sender = this.#senders.get(target.name);
    if (sender !== undefined) sender.update(target);
    else this.#senders.set(target.name, new Sender(target, this.#spool.cursor(target.name), this.#options));
  }
}
