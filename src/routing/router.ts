import type { DomainIdentity, DomainSample } from "../collection/domain-sample.ts";
import { vmLabel } from "../collection/domain-overview.ts";
import type { NodeSample } from "../collection/node-sample.ts";
import type { VmReport } from "../collection/vm-report.ts";
import { fingerprint, type EffectiveConfig, type EffectiveTarget } from "../config/resolve.ts";
import { matchesVm } from "../config/selectors.ts";
import { TAGS, type Family } from "../contract.ts";
import { RequestBodyCache } from "../delivery/request-body-cache.ts";
import { laneNames, Lanes } from "../delivery/lanes.ts";
import { configuredProtocol } from "../delivery/protocols.ts";
import { RejectedLines, type RejectedStats } from "../delivery/rejected-lines.ts";
import type { SenderOptions } from "../delivery/lane-sender.ts";
import { Sender } from "../delivery/sender.ts";
import { unexpected, type TelemetryError } from "../errors.ts";
import { TaskQueue } from "../lib/task-queue.ts";
import { newLineCounters } from "../measurement/line-protocol.ts";
import { Encoder, type MissingListener } from "../measurement/encoder.ts";
import { RawTypes } from "../measurement/raw-types.ts";
import type { LineQuota } from "../measurement/series.ts";
import { MemorySpool } from "../spool/memory-spool.ts";
import type { Losses } from "../spool/losses.ts";
import type { Spool, SpoolStats } from "../spool/spool.ts";
import { Quotas } from "./quotas.ts";

/** The lines of some families for one set of targets. */
interface Stream {
  readonly encoder: Encoder;
  /** Names of the targets. */
  readonly targets: readonly string[];
}

export interface RouterOptions extends SenderOptions {
  readonly node: string | undefined;
  readonly onMissing: MissingListener;
  /** Called with the number of queued lines of a target that is removed. */
  readonly onDiscarded?: ((target: string, lines: number) => void) | undefined;
  /** The default is a spool in memory. */
  readonly spool?: Spool | undefined;
  /** The directory for rejected lines; without it they are not kept. */
  readonly rejectedDir?: string | undefined;
}

/** Routes samples by VM and family to encoders, and the encoded lines through the spool to the senders of the targets. */
export class Router {
  readonly counters = newLineCounters();
  /** What the launchers may write. */
  readonly quotas: Quotas;
  /** One at a time: a flush during a change would find no cursor of a new target, and two would mix the shares of launchers. */
  readonly #flushes = new TaskQueue();
  readonly #options: RouterOptions;
  readonly #rawTypes = new RawTypes();
  readonly #rejected: RejectedLines | undefined;
  readonly #spool: Spool;
  readonly #senders = new Map<string, Sender>();
  /** Senders of renamed targets. They deliver their queued lines and get no new ones. */
  readonly #retired = new Map<string, Sender>();
  /** Name of a renamed target -> its new name, whose settings its sender follows. */
  readonly #successors = new Map<string, string>();
  /** Lines that removed targets had rejected. */
  #rejectedBefore = 0;
  #config: EffectiveConfig | undefined;
  /** Names of the targets that receive a VM -> its streams. Each family is in one stream, so a line is encoded and stored once. */
  #streamsByTargets = new Map<string, readonly Stream[]>();
  // A domain keeps its identity object from cycle to cycle, so its streams are looked up once.
  #streamsByVm = new WeakMap<DomainIdentity, readonly Stream[]>();

  constructor(options: RouterOptions) {
    const { rejectedDir, clock } = options;
    this.quotas = new Quotas(clock);
    this.#rejected = rejectedDir === undefined ? undefined : new RejectedLines({ directory: rejectedDir, clock });
    this.#options = { ...options, rejectedLines: this.#rejected, bodyCache: new RequestBodyCache() };
    this.#spool = options.spool ?? new MemorySpool({ maxBytes: 0, maxAgeMs: 0 }, options.clock);
  }

  /** The senders of the configured targets. */
  get senders(): readonly Sender[] {
    return [...this.#senders.values()];
  }

  get undeliveredLines(): number {
    return this.#allSenders.reduce((sum, { backlog }) => sum + backlog.lines, 0);
  }

  /** Undefined if rejected lines are not kept. */
  get rejectedStats(): RejectedStats | undefined {
    return this.#rejected?.stats;
  }

  get spoolStats(): SpoolStats {
    return this.#spool.stats;
  }

  /** Lines that the spool dropped, by reason. */
  get losses(): Losses {
    return this.#spool.stats.losses;
  }

  /** Lines that the targets rejected since the start, with the targets that were removed. */
  get rejectedLines(): number {
    return this.#allSenders.reduce((sum, { state }) => sum + state.rejectedLines, this.#rejectedBefore);
  }

  get droppedLines(): number {
    return this.#spool.stats.droppedLines;
  }

  /**
   * Applies a configuration. Samples routed before still go to their old targets. A target that remains keeps its queued
   * lines, whatever else changes about it, and so does a target whose name changes.
   */
  apply(config: EffectiveConfig): Promise<void> {
    return this.#flushes.run(() => this.#apply(config));
  }

  async #apply(config: EffectiveConfig): Promise<void> {
    const flushed = this.#flush();
    this.#config = config;
    this.#streamsByTargets = new Map();
    this.#streamsByVm = new WeakMap();
    await flushed;
    for (const sender of this.#allSenders) await this.#keepOrRemove(sender, config.targets);
    // After the removals: lines that no target needs any more must not cause the loss of others.
    this.#spool.caps = config.buffer;
    this.quotas.configure(config.buffer.maxBytes);
    for (const target of config.targets) this.#applyTarget(target);
  }

  /**
   * Encodes the lines of a sample that `quota` admits for all targets that receive it: those of the families that are due,
   * or all. Returns the unplanned failures. A failure loses all lines of this sample in one encoder, and no others.
   */
  route(sample: DomainSample, quota?: LineQuota, due?: ReadonlySet<Family>): readonly TelemetryError[] {
    return this.#encodeFor(sample.identity, (encoder) => {
      encoder.encode(sample, quota, due);
    });
  }

  /** Encodes the line of an event or a job, as `route` does for a sample. */
  routeReport(report: VmReport, quota?: LineQuota): readonly TelemetryError[] {
    return this.#encodeFor(report.identity, (encoder) => {
      encoder.encodeReport(report, quota);
    });
  }

  #encodeFor(identity: DomainIdentity, encode: (encoder: Encoder) => void): readonly TelemetryError[] {
    const failures: TelemetryError[] = [];
    const guarded = <Result>(act: () => Result): Result | undefined => {
      try {
        return act();
      } catch (error) {
        failures.push(unexpected(`writing the lines of ${vmLabel(identity)}`, error));
        return undefined;
      }
    };
    for (const { encoder } of guarded(() => this.#streamsOfVm(identity)) ?? [])
      guarded(() => {
        encode(encoder);
      });
    return failures;
  }

  /** Encodes the lines of the node that are due, for all targets: what they select are VMs. */
  routeNode(sample: NodeSample, due: ReadonlySet<Family>): void {
    if (this.#config === undefined) return;
    for (const { encoder } of this.#streamsFor(this.#config, this.#config.targets)) encoder.encodeNode(sample, due);
  }

  /** Appends the encoded lines to the spool. Returns their number; a line for several targets counts once. */
  flush(): Promise<number> {
    return this.#flushes.run(() => this.#flush());
  }

  async #flush(): Promise<number> {
    const batches = [...this.#streamsByTargets.values()]
      .flat()
      .map(({ encoder, targets }) => ({ batch: encoder.take(), targets }));
    const written = this.quotas.takeWritten(batches.reduce((sum, { batch }) => sum + batch.bytes.length, 0));
    await Promise.all(batches.map(({ batch, targets }) => this.#spool.append(batch, this.#appendCursors(targets))));
    this.quotas.updateShares(written, this.#spool.stats);
    for (const sender of this.#retired.values()) if (sender.backlog.frames === 0) await this.#remove(sender);
    return batches.reduce((sum, { batch }) => sum + batch.lines, 0);
  }

  /** Delivers the queued lines. Resolves to whether every target has taken them before the signal aborted. */
  async drain(signal: AbortSignal): Promise<boolean> {
    const drained = await Promise.all(this.#allSenders.map((sender) => sender.drain(signal)));
    return drained.every(Boolean);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#allSenders.map((sender) => sender.stop()));
    await Promise.all([this.#spool.close(), this.#rejected?.close()]);
  }

  get #allSenders(): readonly Sender[] {
    return [...this.#senders.values(), ...this.#retired.values()];
  }

  /** Returns the cursors of these targets in the spool. */
  #appendCursors(targets: readonly string[]): readonly string[] {
    return targets.flatMap((target) => this.#senders.get(target)?.appendCursor ?? []);
  }

  #streamsOfVm(identity: DomainIdentity): readonly Stream[] {
    const known = this.#streamsByVm.get(identity);
    if (known !== undefined || this.#config === undefined) return known ?? [];
    const { namespace = "", labels = {} } = identity;
    const targets = this.#config.targets.filter(({ vms }) => matchesVm(vms, namespace, labels));
    const streams = this.#streamsFor(this.#config, targets);
    this.#streamsByVm.set(identity, streams);
    return streams;
  }

  #streamsFor(config: EffectiveConfig, targets: readonly EffectiveTarget[]): readonly Stream[] {
    // The name of a target contains no comma.
    const key = targets.map(({ name }) => name).join(",");
    const streams = this.#streamsByTargets.get(key) ?? this.#newStreams(config, targets);
    this.#streamsByTargets.set(key, streams);
    return streams;
  }

  #newStreams(
    { families, rawGroups = [], onMissing, measurementPrefix, staticTags, vmLabels, vmAnnotations }: EffectiveConfig,
    targets: readonly EffectiveTarget[],
  ): readonly Stream[] {
    const { node, onMissing: listener } = this.#options;
    const receivers = families.flatMap((family) => {
      const all = targets.filter((target) => target.families.includes(family));
      // In Raw a target has what its other families lack, so targets with other families have other lines.
      const sets = family === "Raw" ? [...Map.groupBy(all, (target) => target.families.join()).values()] : [all];
      return sets.map((set) => ({ family, targets: set.map(({ name }) => name), written: set[0]?.families ?? [] }));
    });
    const labels = [...vmLabels, ...vmAnnotations].map(({ tag }) => tag);
    const tags = [...TAGS, ...Object.keys(staticTags), ...labels];
    return [...Map.groupBy(receivers, ({ targets }) => targets.join(",")).values()].flatMap((group) => {
      const names = group[0]?.targets ?? [];
      if (names.length === 0) return [];
      const raw = group.find(({ family }) => family === "Raw");
      const options = {
        families: group.map(({ family }) => family),
        onMissing,
        measurementPrefix,
        node,
        staticTags,
        ...(raw !== undefined && { raw: { groups: rawGroups, families: raw.written, tags, types: this.#rawTypes } }),
      };
      return [{ encoder: new Encoder(options, this.counters, listener), targets: names }];
    });
  }

  async #keepOrRemove(sender: Sender, targets: readonly EffectiveTarget[]): Promise<void> {
    const { name } = sender;
    if (targets.some((target) => target.name === name)) return;
    const renamed = this.#successorOf(sender, targets);
    if (renamed === undefined) return this.#remove(sender);
    this.#senders.delete(name);
    this.#retired.set(name, sender);
    this.#successors.set(name, renamed.name);
    updateIfChanged(sender, { ...renamed, name });
  }

  /** Returns what a target is called now; undefined if it is removed. It is renamed if another name has the same destination. */
  #successorOf({ name, settings }: Sender, targets: readonly EffectiveTarget[]): EffectiveTarget | undefined {
    // It may have been renamed before, and its destination may have changed since then.
    const known = targets.find((target) => target.name === this.#successors.get(name));
    const isCandidate = (target: EffectiveTarget): boolean =>
      this.#retired.has(name) || !this.#senders.has(target.name);
    const destination = this.#destinationOf(settings);
    return known ?? targets.find((target) => isCandidate(target) && this.#destinationOf(target) === destination);
  }

  #destinationOf(target: EffectiveTarget): string {
    const { protocolOf = configuredProtocol } = this.#options;
    return protocolOf(target).destination(target);
  }

  async #remove(sender: Sender): Promise<void> {
    this.#senders.delete(sender.name);
    this.#retired.delete(sender.name);
    this.#successors.delete(sender.name);
    await sender.stop();
    this.#rejectedBefore += sender.state.rejectedLines;
    this.#options.onDiscarded?.(sender.name, sender.backlog.lines);
    for (const lane of laneNames(sender.name)) this.#spool.removeCursor(lane);
  }

  #applyTarget(target: EffectiveTarget): void {
    const { name } = target;
    const known = this.#senders.get(name) ?? this.#retired.get(name);
    this.#retired.delete(name);
    this.#successors.delete(name);
    if (known !== undefined) updateIfChanged(known, target);
    this.#senders.set(name, known ?? new Sender(target, new Lanes(name, this.#spool), this.#options));
  }
}

/** An update ends the searches and the backoff of a target, which the change of another target must not do. */
function updateIfChanged(sender: Sender, target: EffectiveTarget): void {
  if (fingerprint(sender.settings) !== fingerprint(target)) sender.update(target);
}
