import type { Clock } from "../lib/clock.ts";
import { Queue } from "../lib/queue.ts";
import { TaskQueue } from "../lib/task-queue.ts";
import { Notifier } from "../lib/notifier.ts";
import { compressLines, splitBatch } from "./frame-payload.ts";
import { LossCount, type DropReason, type Losses } from "./losses.ts";
import { ReadBatch } from "./read-batch.ts";
import type { Frame, LineBatch, ReadLimits, Spool, SpoolCaps, SpoolCursor, SpoolStats } from "./spool.ts";

/** A spool that does not outlive the process: it bridges outages of targets, up to its caps. */
export class MemorySpool implements Spool {
  readonly #clock: Clock;
  readonly #cursors = new Map<string, MemoryCursor>();
  #caps: SpoolCaps;
  #sequence = 0n;
  #frames = 0;
  #bytes = 0;
  #appendedLines = 0;
  readonly #losses = new LossCount();
  /** One after the other: frames must get into the cursors in the order of their numbers. */
  readonly #appending = new TaskQueue();

  constructor(caps: SpoolCaps, clock: Clock) {
    this.#caps = caps;
    this.#clock = clock;
  }

  /** What exceeds them is dropped at once. */
  set caps(caps: SpoolCaps) {
    this.#caps = caps;
    this.#enforceCaps();
  }

  get stats(): SpoolStats {
    return {
      frames: this.#frames,
      bytes: this.#bytes,
      appendedLines: this.#appendedLines,
      droppedLines: this.#losses.lines,
      losses: this.#losses.byReason,
    };
  }

  append(batch: LineBatch, targets?: readonly string[]): Promise<void> {
    return this.#appending.run(() => this.#append(batch, targets));
  }

  cursor(target: string): SpoolCursor {
    let cursor = this.#cursors.get(target);
    if (cursor === undefined) {
      cursor = new MemoryCursor({
        expire: () => {
          this.#enforceCaps();
        },
        release: (kept) => {
          this.#release(kept);
        },
        lost: (reason, lines) => {
          this.#losses.add(reason, lines);
        },
      });
      this.#cursors.set(target, cursor);
    }
    return cursor;
  }

  removeCursor(target: string): void {
    this.#cursors.get(target)?.clear();
    this.#cursors.delete(target);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #append(batch: LineBatch, targets: readonly string[] | undefined): Promise<void> {
    const [createdAtMs, bornAtMs] = [this.#clock.now(), this.#clock.monotonic()];
    for (const { lines, bytes } of batch.lines === 0 ? [] : splitBatch(batch)) {
      // Nobody to deliver to: do not compress for the bin.
      const payload = this.#readers(targets).length === 0 ? undefined : await compressLines(bytes);
      this.#appendedLines += lines;
      if (payload === undefined) continue;
      const frame = { sequence: this.#sequence++, lines, rawBytes: bytes.length, createdAtMs, payload };
      this.#keep(frame, bornAtMs, this.#readers(targets));
    }
  }

  #keep(frame: Frame, bornAtMs: number, readers: readonly MemoryCursor[]): void {
    if (readers.length === 0) return;
    const kept = { frame, bornAtMs, readers: readers.length };
    this.#frames++;
    this.#bytes += frame.payload.length;
    for (const cursor of readers) cursor.push(kept);
    this.#enforceCaps();
    for (const cursor of readers) cursor.wake();
  }

  #readers(targets: readonly string[] | undefined): readonly MemoryCursor[] {
    return targets === undefined
      ? [...this.#cursors.values()]
      : targets.flatMap((target) => this.#cursors.get(target) ?? []);
  }

  #release(kept: Kept): void {
    kept.readers--;
    if (kept.readers > 0) return;
    this.#frames--;
    this.#bytes -= kept.frame.payload.length;
  }

  #enforceCaps(): void {
    const bornBefore = this.#clock.monotonic() - this.#caps.maxAgeMs;
    for (let oldest = this.#oldest(); oldest !== undefined; oldest = this.#oldest()) {
      const isOld = oldest.bornAtMs < bornBefore;
      if (!isOld && this.#bytes <= this.#caps.maxBytes) return;
      for (const cursor of this.#cursors.values()) cursor.drop(oldest, isOld ? "age" : "cap");
    }
  }

  /** A frame that is kept is still in a cursor, and the oldest of all is the first there. */
  #oldest(): Kept | undefined {
    let oldest: Kept | undefined;
    for (const { first } of this.#cursors.values())
      if (first !== undefined && (oldest === undefined || first.frame.sequence < oldest.frame.sequence)) oldest = first;
    return oldest;
  }
}

/** A frame in memory; the cursors that it is for share it. */
interface Kept {
  readonly frame: Frame;
  /** On the monotonic clock: a step of the wall clock must not age a frame. */
  readonly bornAtMs: number;
  /** How many cursors still need it. */
  readers: number;
}

/** The spool, as its cursors know it. */
interface CursorHost {
  expire(): void;
  release(kept: Kept): void;
  lost(reason: DropReason, lines: number): void;
}

class MemoryCursor implements SpoolCursor {
  readonly #spool: CursorHost;
  readonly #wakeUp = new Notifier();
  readonly #kept = new Queue<Kept>();
  readonly #losses = new LossCount();
  #lines = 0;
  #bytes = 0;

  constructor(spool: CursorHost) {
    this.#spool = spool;
  }

  get first(): Kept | undefined {
    return this.#kept.first;
  }

  get droppedLines(): number {
    return this.#losses.lines;
  }

  get losses(): Losses {
    return this.#losses.byReason;
  }

  get backlog(): SpoolCursor["backlog"] {
    return { frames: this.#kept.length, lines: this.#lines, bytes: this.#bytes };
  }

  get oldest(): bigint | undefined {
    return this.#kept.first?.frame.sequence;
  }

  get oldestBornAtMs(): number | undefined {
    return this.#kept.first?.bornAtMs;
  }

  get newest(): bigint | undefined {
    return this.#kept.last?.frame.sequence;
  }

  read(limits: ReadLimits): Promise<readonly Frame[]> {
    this.#spool.expire();
    const batch = new ReadBatch(limits);
    for (const { frame } of this.#kept) {
      if (!batch.fits(frame)) break;
      batch.add(frame);
    }
    return Promise.resolve(batch.frames);
  }

  recent(sinceMs: number): readonly Frame[] {
    return this.#kept.lastWhile(({ frame }) => frame.createdAtMs >= sinceMs).map(({ frame }) => frame);
  }

  acknowledge(sequence: bigint): void {
    while (this.oldest !== undefined && this.oldest <= sequence) this.#shift();
  }

  async ready(signal: AbortSignal): Promise<void> {
    await this.#wakeUp.until(() => this.#kept.length > 0, signal);
  }

  push(kept: Kept): void {
    this.#kept.push(kept);
    this.#lines += kept.frame.lines;
    this.#bytes += kept.frame.payload.length;
  }

  wake(): void {
    this.#wakeUp.notify();
  }

  /** Gives up a frame, if it is still needed here; it is the oldest then. */
  drop(kept: Kept, reason: DropReason): void {
    if (this.#kept.first !== kept) return;
    this.#shift();
    this.#losses.add(reason, kept.frame.lines);
    this.#spool.lost(reason, kept.frame.lines);
  }

  clear(): void {
    while (this.#kept.length > 0) this.#shift();
  }

  #shift(): void {
    const kept = this.#kept.shift();
    if (kept === undefined) return;
    this.#lines -= kept.frame.lines;
    this.#bytes -= kept.frame.payload.length;
    this.#spool.release(kept);
  }
}
