import { Queue } from "../lib/queue.ts";
import type { TaskQueue } from "../lib/task-queue.ts";
import { Notifier } from "../lib/notifier.ts";
import type { Kept, Place, Reader } from "./kept.ts";
import { LossCount, type DropReason, type Losses } from "./losses.ts";
import { ReadBatch } from "./read-batch.ts";
import { minus, NOTHING, plus, totalsOf, type Segment, type Totals } from "./segment.ts";
import { extractFrames } from "./segment-extract.ts";
import type { Frame, ReadLimits, SpoolCursor } from "./spool.ts";

/** The spool, as its cursors know it. */
export interface CursorHost {
  readonly segments: readonly Segment[];
  readonly disk: TaskQueue;
  /** Time has passed: drop what has become too old. */
  expire(): void;
  /** Something is no longer needed. */
  advanced(): void;
  damaged(segment: Segment, offset: number): void;
  lost(reason: DropReason, lines: number): void;
}

/** A frame that came from the disk. */
interface FromDisk {
  readonly sequence: bigint;
  readonly totals: Totals;
  /** Where the frame after it begins. */
  readonly behind: Place;
}

/**
 * One target's view of the log. Its frames are on disk up to some point and in memory from there on, and only what is
 * not in memory is read from the disk.
 */
export class DurableCursor implements SpoolCursor, Reader {
  readonly name: string;
  readonly #host: CursorHost;
  readonly #recent = new Queue<Kept>();
  readonly #wakeUp = new Notifier();
  readonly #losses = new LossCount();
  #backlog = NOTHING;
  #next: bigint;
  #newest: bigint | undefined;
  /** No frame that it needs is on disk before this; undefined: before the first segment. */
  #place: Place | undefined;
  /** What the last read took from the disk. */
  #read: readonly FromDisk[] = [];

  constructor(name: string, next: bigint, host: CursorHost) {
    this.name = name;
    this.#next = next;
    this.#host = host;
  }

  /** It needs no frame before this. */
  get next(): bigint {
    return this.#next;
  }

  get backlog(): Totals {
    return this.#backlog;
  }

  get oldest(): bigint | undefined {
    return this.#backlog.frames > 0 ? this.#next : undefined;
  }

  get newest(): bigint | undefined {
    return this.#backlog.frames > 0 ? this.#newest : undefined;
  }

  get oldestBornAtMs(): number | undefined {
    if (this.#onDisk <= 0) return this.#recent.first?.bornAtMs;
    return this.#host.segments.find((segment) => segment.waitingFor(this.name).frames > 0)?.oldestBornAtMs;
  }

  get droppedLines(): number {
    return this.#losses.lines;
  }

  get losses(): Losses {
    return this.#losses.byReason;
  }

  async read(limits: ReadLimits): Promise<readonly Frame[]> {
    this.#host.expire();
    const batch = new ReadBatch(limits);
    this.#read = [];
    if (this.#onDisk > 0) await this.#readDisk(batch);
    if (batch.full || this.#onDisk > this.#read.length) return this.#stillNeeded(batch.frames);
    for (const { frame } of this.#recent) {
      if (!batch.fits(frame)) break;
      batch.add(frame);
    }
    return this.#stillNeeded(batch.frames);
  }

  recent(sinceMs: number): readonly Frame[] {
    return this.#recent.lastWhile(({ frame }) => frame.createdAtMs >= sinceMs).map(({ frame }) => frame);
  }

  acknowledge(sequence: bigint): void {
    for (const { totals, behind } of this.#read.filter((frame) => frame.sequence <= sequence)) {
      behind.segment.settle(this.name, totals);
      this.#backlog = minus(this.#backlog, totals);
      this.#place = behind;
    }
    this.#read = this.#read.filter((frame) => frame.sequence > sequence);
    for (let first = this.#recent.first; first !== undefined; first = this.#recent.first) {
      if (first.frame.sequence > sequence) break;
      first.place?.segment.settle(this.name, totalsOf(first.frame));
      this.#shift();
    }
    if (sequence >= this.#next) this.#next = sequence + 1n;
    this.#host.advanced();
  }

  async ready(signal: AbortSignal): Promise<void> {
    await this.#wakeUp.until(() => this.#backlog.frames > 0, signal);
  }

  /** A frame was appended that it needs; it is in memory. Wakes nobody yet. */
  push(kept: Kept): void {
    if (this.#backlog.frames === 0) this.#next = kept.frame.sequence;
    this.#recent.push(kept);
    this.#backlog = plus(this.#backlog, totalsOf(kept.frame));
    this.#newest = kept.frame.sequence;
  }

  wake(): void {
    this.#wakeUp.notify();
  }

  /** Frames are on disk that were appended before this process began. */
  recover(totals: Totals, newest: bigint): void {
    this.#backlog = plus(this.#backlog, totals);
    this.#newest = newest;
  }

  evict(kept: Kept): void {
    if (this.#onDisk === 0) this.#place = kept.place;
    this.#recent.shift();
  }

  lose({ frame }: Kept, reason: DropReason): void {
    this.#recent.shift();
    this.#lose(totalsOf(frame), reason);
  }

  /** The oldest segment goes, with what this target still needed of it. */
  drop(segment: Segment, reason: DropReason): void {
    const totals = segment.waitingFor(this.name);
    while (this.#recent.first?.place?.segment === segment) this.#recent.shift()?.readers.delete(this);
    this.#read = this.#read.filter(({ behind }) => behind.segment !== segment);
    if (segment.last >= this.#next) this.#next = segment.last + 1n;
    segment.release(this.name);
    this.#lose(totals, reason);
  }

  /** Lines that were for this target, but not yet in this log, are given up. */
  forgo(lines: number, reason: DropReason): void {
    this.#lose({ ...NOTHING, lines }, reason);
    this.#backlog = plus(this.#backlog, { ...NOTHING, lines });
  }

  /** Needs nothing of what is there. */
  clear(head: bigint): void {
    for (const segment of this.#host.segments) segment.release(this.name);
    while (this.#recent.length > 0) this.#recent.shift()?.readers.delete(this);
    this.#read = [];
    this.#backlog = NOTHING;
    this.#next = head;
  }

  get #onDisk(): number {
    return this.#backlog.frames - this.#recent.length;
  }

  async #readDisk(batch: ReadBatch): Promise<void> {
    for (const segment of this.#host.segments) {
      const inMemoryFrom = this.#recent.first?.frame.sequence;
      if (batch.full || (inMemoryFrom !== undefined && segment.first >= inMemoryFrom)) return;
      await this.#host.disk.run(() => this.#readSegment(segment, batch));
    }
  }

  async #readSegment(segment: Segment, batch: ReadBatch): Promise<void> {
    const [from, before] = [this.#next, this.#recent.first?.frame.sequence];
    const inMemory = this.#recentOf(segment);
    // As it is now: other frames come, and go to memory only, while this reads.
    const expected = minus(segment.waitingFor(this.name), inMemory);
    if (expected.frames <= 0) return;
    const offset = this.#place?.segment === segment ? this.#place.offset : 0;
    const extract = { path: segment.path, offset, size: segment.bytes };
    const { frames, damage, complete } = await extractFrames(extract, { from, before, target: this.name }, batch);
    for (const at of damage) this.#host.damaged(segment, at);
    if (this.#next !== from) return;
    const read = frames.map(({ frame, end }) => ({
      sequence: frame.sequence,
      totals: totalsOf(frame),
      behind: { segment, offset: end },
    }));
    this.#read = [...this.#read, ...read];
    const missing = read.reduce((left, { totals }) => minus(left, totals), expected);
    if (!complete || missing.frames <= 0) return;
    segment.settle(this.name, missing);
    this.#lose(missing, "corrupt");
    this.#host.advanced();
  }

  /** What is in memory of a segment that is on disk too. */
  #recentOf(segment: Segment): Totals {
    let totals = NOTHING;
    for (const { frame, place } of this.#recent) {
      if (place?.segment !== segment) break;
      totals = plus(totals, totalsOf(frame));
    }
    return totals;
  }

  /** A cap may have dropped some of them while the disk was read. */
  #stillNeeded(frames: readonly Frame[]): readonly Frame[] {
    return frames.filter(({ sequence }) => sequence >= this.#next);
  }

  #shift(): void {
    const kept = this.#recent.shift();
    if (kept === undefined) return;
    kept.readers.delete(this);
    this.#backlog = minus(this.#backlog, totalsOf(kept.frame));
  }

  #lose(totals: Totals, reason: DropReason): void {
    this.#backlog = minus(this.#backlog, totals);
    this.#losses.add(reason, totals.lines);
    this.#host.lost(reason, totals.lines);
  }
}
