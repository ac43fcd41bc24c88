import type { DomainSample } from "./collection/domain-sample.ts";
import type { EffectiveConfig, EffectiveTarget } from "./config/resolve.ts";
import { Sender, type SenderObserver } from "./delivery/sender.ts";
import type { Clock } from "./lib/clock.ts";
import { newLineCounters } from "./measurement/counters.ts";
import { Encoder, type MissingListener } from "./measurement/encoder.ts";
import { MemorySpool } from "./spool/memory-spool.ts";

/** Targets that get the same lines: encoded once, spooled once, and a sender for each. */
interface Profile {
  encoder: Encoder;
  readonly spool: MemorySpool;
  readonly senders: Map<string, Sender>;
}

export interface OutputOptions {
  readonly node: string | undefined;
  readonly clock: Clock;
  readonly observer: SenderObserver;
  readonly onMissing: MissingListener;
}

/** Everything behind collection: encoders, spools and senders, as the configuration wants them. */
export class Outputs {
  readonly counters = newLineCounters();
  readonly #options: OutputOptions;
  /** By the families that its targets get. */
  #profiles = new Map<string, Profile>();

  constructor(options: OutputOptions) {
    this.#options = options;
  }

  get senders(): readonly Sender[] {
    return [...this.#profiles.values()].flatMap(({ senders }) => [...senders.values()]);
  }

  get droppedLines(): number {
    return [...this.#profiles.values()].reduce((sum, { spool }) => sum + spool.stats.droppedLines, 0);
  }

  /** Changes to this configuration; what waits for a target that stays is kept. */
  async apply(config: EffectiveConfig): Promise<void> {
    await this.flush();
    const wanted = Map.groupBy(config.targets, ({ families }) => families.join(","));
    const gone = [...this.#profiles].filter(([key]) => !wanted.has(key));
    for (const [key, profile] of gone) {
      this.#profiles.delete(key);
      for (const sender of profile.senders.values()) await sender.stop();
    }
    for (const [key, targets] of wanted) await this.#applyProfile(key, targets, config);
  }

  /** Encodes a sample for every profile. */
  add(sample: DomainSample): void {
    for (const { encoder } of this.#profiles.values()) encoder.add(sample);
  }

  /** Hands what was encoded to the spools; returns how many lines, counted once however many targets get them. */
  async flush(): Promise<number> {
    const lines = await Promise.all(
      [...this.#profiles.values()].map(async ({ encoder, spool }) => {
        const batch = encoder.take();
        await spool.append(batch);
        return batch.lines;
      }),
    );
    return Math.max(0, ...lines);
  }

  /** Resolves to whether every target took everything before the signal aborted. */
  async drain(signal: AbortSignal): Promise<boolean> {
    const drained = await Promise.all(this.senders.map((sender) => sender.drain(signal)));
    return drained.every(Boolean);
  }

  async stop(): Promise<void> {
    await Promise.all(this.senders.map((sender) => sender.stop()));
  }

  async #applyProfile(key: string, targets: readonly EffectiveTarget[], config: EffectiveConfig): Promise<void> {
    const { clock, node, onMissing } = this.#options;
    const { onMissing: policy, measurementPrefix, staticTags, buffer } = config;
    const families = targets[0]?.families ?? [];
    const encoder = new Encoder(
      { families, onMissing: policy, measurementPrefix, node, staticTags },
      this.counters,
      onMissing,
    );
    const profile = this.#profiles.get(key) ?? {
      encoder,
      spool: new MemorySpool(buffer, clock),
      senders: new Map<string, Sender>(),
    };
    profile.encoder = encoder;
    profile.spool.caps = buffer;
    this.#profiles.set(key, profile);
    for (const [name, sender] of profile.senders) {
      if (targets.some((target) => target.name === name)) continue;
      profile.senders.delete(name);
      await sender.stop();
      profile.spool.removeCursor(name);
    }
    for (const target of targets) this.#applyTarget(profile, target);
  }

  #applyTarget({ senders, spool }: Profile, target: EffectiveTarget): void {
    const { clock, observer } = this.#options;
    const sender = senders.get(target.name);
    if (sender !== undefined) sender.update(target);
    else senders.set(target.name, new Sender(target, spool.cursor(target.name), { clock, observer }));
  }
}
