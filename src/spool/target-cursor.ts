import { Notifier } from "../lib/notifier.ts";
import { Queue } from "../lib/queue.ts";
import type { TaskQueue } from "../lib/task-queue.ts";
import type { BufferedFrame, FrameConsumer, FrameLocation } from "./buffered-frame.ts";
import { LossCount, type DropReason, type Losses } from "./losses.ts";
import { ReadBatch } from "./read-batch.ts";
import { readFrames } from "./segment-reader.ts";
import { minus, NOTHING, plus, totalsOf, type Segment, type Totals } from "./segment.ts";
import type { Frame, ReadLimits, SpoolCursor } from "./spool.ts";
import type { WakeSignal } from "../lib/waker.ts";

/** The spool, as its cursors use it. */
export interface CursorHost {
  /** Undefined in a spool in memory. */
  readonly log: CursorLog | undefined;
  /** Drops what is over the age cap. */
  expire(): void;
  /** Called when no cursor needs this frame any more. */
  unused(buffered: BufferedFrame): void;
  /** Counts dropped lines. */
  lost(reason: DropReason, lines: number): void;
}

/** The frames on disk, as cursors use them. */
export interface CursorLog {
  /** Oldest first. */
  readonly segments: readonly Segment[];
  /** Runs every access to the disk. */
  readonly disk: TaskQueue;
  /** A cursor advanced: its position must be saved, and segments may be consumed. */
  advanced(): void;
  /** Counts damage at this offset, or of the whole file at -1. */
  damaged(segment: Segment, offset: number): void;
}

/** The frames of a segment that are on disk only. */
interface SegmentPart {
  readonly segment: Segment;
  readonly expected: Totals;
  /** Sequence number of the first frame that was in memory when the read began. */
  readonly before: bigint;
  /** Number of the read. */
  readonly read: number;
}

/** A frame that was read from disk. */
interface DiskFrame {
  readonly sequence: bigint;
  readonly totals: Totals;
  readonly end: FrameLocation;
}

/**
 * The position of one target, in either kind of spool. Up to some frame the backlog is on disk only; the frames after it are
 * in memory, and are not read from disk.
 */
export class TargetCursor implements SpoolCursor, FrameConsumer {
  readonly name: string;
  readonly #host: CursorHost;
  readonly #recent = new Queue<BufferedFrame>();
  readonly #notifier = new Notifier();
  readonly #losses = new LossCount();
  #backlog = NOTHING;
  #next: bigint;
  #newest: bigint | undefined;
  /** Where the next read from disk starts. Undefined: at the start of the first segment. */
  #location: FrameLocation | undefined;
  /** The frames that the last read took from disk. */
  #lastRead: readonly DiskFrame[] = [];
  /** Number of reads so far. A read that another one or `clear` has overtaken, as on a disk that hangs, changes nothing. */
  #reads = 0;

  constructor(name: string, next: bigint, host: CursorHost) {
    this.name = name;
    this.#next = next;
    this.#host = host;
  }

  get next(): bigint {
    return this.#next;
  }

  get backlog(): Totals {
    return this.#backlog;
  }

  get oldest(): bigint | undefined {
    if (this.#backlog.frames <= 0) return undefined;
    return this.#framesOnDisk > 0 ? this.#next : this.#recent.first?.frame.sequence;
  }

  get newest(): bigint | undefined {
    return this.#backlog.frames > 0 ? this.#newest : undefined;
  }

  get oldestMonotonicMs(): number | undefined {
    if (this.#framesOnDisk <= 0) return this.#recent.first?.monotonicMs;
    return this.#segments.find((segment) => segment.pendingFor(this.name).frames > 0)?.oldestMonotonicMs;
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
    const read = ++this.#reads;
    this.#lastRead = [];
    if (this.#framesOnDisk > 0) await this.#readDisk(batch, read);
    if (read !== this.#reads) return [];
    if (batch.full || this.#framesOnDisk > this.#lastRead.length) return this.#withoutDropped(batch.frames);
    for (const { frame } of this.#recent) {
      if (!batch.fits(frame)) break;
      batch.add(frame);
    }
    return this.#withoutDropped(batch.frames);
  }

  recent(sinceMs: number): readonly Frame[] {
    return this.#recent.lastWhile(({ frame }) => frame.createdAtMs >= sinceMs).map(({ frame }) => frame);
  }

  acknowledge(sequence: bigint): void {
    for (const { totals, end } of this.#lastRead.filter((frame) => frame.sequence <= sequence)) {
      end.segment.consume(this.name, totals);
      this.#backlog = minus(this.#backlog, totals);
      this.#location = end;
    }
    this.#lastRead = this.#lastRead.filter((frame) => frame.sequence > sequence);
    for (let first = this.#recent.first; first !== undefined; first = this.#recent.first) {
      if (first.frame.sequence > sequence) break;
      first.location?.segment.consume(this.name, totalsOf(first.frame));
      this.#backlog = minus(this.#backlog, totalsOf(first.frame));
      this.#releaseFirst();
    }
    if (sequence >= this.#next) this.#next = sequence + 1n;
    this.#host.log?.advanced();
  }

  async ready(signal: WakeSignal): Promise<void> {
    await this.#notifier.until(() => this.#backlog.frames > 0, signal);
  }

  push(buffered: BufferedFrame): void {
    if (this.#backlog.frames === 0) this.#next = buffered.frame.sequence;
    this.#recent.push(buffered);
    this.#backlog = plus(this.#backlog, totalsOf(buffered.frame));
    this.#newest = buffered.frame.sequence;
  }

  wake(): void {
    this.#notifier.notify();
  }

  /** Adds frames of an earlier process that are on disk. */
  addRecovered(totals: Totals, newest: bigint): void {
    this.#backlog = plus(this.#backlog, totals);
    this.#newest = newest;
  }

  evict(buffered: BufferedFrame): void {
    if (this.#framesOnDisk === 0) this.#location = buffered.location;
    this.#recent.shift();
  }

  dropFrame({ frame }: BufferedFrame, reason: DropReason): void {
    this.#recent.shift();
    this.#drop(totalsOf(frame), reason);
  }

  /** Drops what this target still needs of the oldest segment, which is about to be deleted. */
  dropSegment(segment: Segment, reason: DropReason): void {
    const totals = segment.pendingFor(this.name);
    while (this.#recent.first?.location?.segment === segment) this.#releaseFirst();
    this.#lastRead = this.#lastRead.filter(({ end }) => end.segment !== segment);
    if (segment.last >= this.#next) this.#next = segment.last + 1n;
    segment.dropTarget(this.name);
    this.#drop(totals, reason);
  }

  /** Counts lines of this target as lost. A takeover calls this for lines that were never in the backlog. */
  countLost(lines: number, reason: DropReason): void {
    this.#losses.add(reason, lines);
    this.#host.lost(reason, lines);
  }

  /** Discards the backlog without counting a loss. `next` is the sequence number of the next frame of the spool. */
  clear(next: bigint): void {
    for (const segment of this.#segments) segment.dropTarget(this.name);
    while (this.#recent.length > 0) this.#releaseFirst();
    this.#lastRead = [];
    this.#reads++;
    this.#backlog = NOTHING;
    this.#next = next;
  }

  get #segments(): readonly Segment[] {
    return this.#host.log?.segments ?? [];
  }

  /** Number of frames that are on disk only. */
  get #framesOnDisk(): number {
    return this.#backlog.frames - this.#recent.length;
  }

  async #readDisk(batch: ReadBatch, read: number): Promise<void> {
    const { log } = this.#host;
    // What leaves memory during the read is for the next one: it may be in a segment that this one has passed.
    const before = this.#recent.first?.frame.sequence ?? (this.#newest ?? this.#next) + 1n;
    const parts = (log?.segments ?? [])
      .filter(({ first }) => first < before)
      .map((segment) => ({ segment, expected: minus(segment.pendingFor(this.name), this.#inMemoryOf(segment)) }));
    for (const part of parts.filter(({ expected }) => expected.frames > 0)) {
      if (batch.full) return;
      await log?.disk.run(() => this.#readSegment(log, { ...part, before, read }, batch));
    }
  }

  async #readSegment(
    log: CursorLog,
    { segment, expected, before, read: id }: SegmentPart,
    batch: ReadBatch,
  ): Promise<void> {
    // Overtaken, or a cap has dropped the segment meanwhile.
    if (id !== this.#reads || segment.pendingFor(this.name).frames <= 0) return;
    const from = this.#next > segment.first ? this.#next : segment.first;
    const offset = this.#location?.segment === segment ? this.#location.offset : 0;
    const range = { path: segment.path, offset, size: segment.bytes };
    const { frames, damage, complete, gone } = await readFrames(range, { from, before, target: this.name }, batch);
    for (const at of damage) log.damaged(segment, at);
    if (id !== this.#reads) return;
    const read = frames.map(({ frame, end }) => ({
      sequence: frame.sequence,
      totals: totalsOf(frame),
      end: { segment, offset: end },
    }));
    this.#lastRead = [...this.#lastRead, ...read];
    const missing = read.reduce((left, { totals }) => minus(left, totals), expected);
    if (!complete || missing.frames <= 0) return;
    segment.consume(this.name, missing);
    this.#drop(missing, gone ? "disk" : "corrupt");
    log.advanced();
  }

  /** Returns the totals of the frames of a segment that are in memory too. */
  #inMemoryOf(segment: Segment): Totals {
    let totals = NOTHING;
    for (const { frame, location } of this.#recent) {
      if (location?.segment !== segment) break;
      totals = plus(totals, totalsOf(frame));
    }
    return totals;
  }

  /** Removes frames that a cap dropped during the read. */
  #withoutDropped(frames: readonly Frame[]): readonly Frame[] {
    return frames.filter(({ sequence }) => sequence >= this.#next);
  }

  #releaseFirst(): void {
    const buffered = this.#recent.shift();
    if (buffered === undefined) return;
    buffered.consumers.delete(this);
    if (buffered.consumers.size === 0) this.#host.unused(buffered);
  }

  #drop(totals: Totals, reason: DropReason): void {
    this.#backlog = minus(this.#backlog, totals);
    this.countLost(totals.lines, reason);
  }
}
