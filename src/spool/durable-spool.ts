import type { Clock } from "../lib/clock.ts";
import { TaskQueue } from "../lib/task-queue.ts";
import { Adoption } from "./adoption.ts";
import { CommitQueue } from "./commit-queue.ts";
import { DiskRecord, type DiskStats, type SpoolObserver } from "./disk-record.ts";
import { DiskStore } from "./disk-store.ts";
import { DurableCursor, type CursorHost } from "./durable-cursor.ts";
import { compressLines, splitBatch } from "./frame-payload.ts";
import type { Draft } from "./kept.ts";
import { thisProcess } from "./lock.ts";
import { LossCount, type DropReason } from "./losses.ts";
import { RecentFrames } from "./recent-frames.ts";
import type { OpenFile } from "./segment-log.ts";
import type { Segment } from "./segment.ts";
import type { LineBatch, Spool, SpoolCaps, SpoolCursor, SpoolStats } from "./spool.ts";

const SAVE_CURSORS_MS = 1_000;
const KEEP_MS = 5_000;
const CLOSE_PATIENCE_MS = 5_000;
const MEMORY_BYTES = 8 << 20;
/** The kubelet begins to evict pods at a tenth. */
const MIN_FREE_SHARE = 0.12;

export interface DurableSpoolOptions {
  readonly directory: string;
  /** Without them nothing is dropped for its size or age until `caps` is set. */
  readonly caps?: SpoolCaps;
  readonly clock: Clock;
  readonly observer?: SpoolObserver | undefined;
  /** The UID of the pod, by which a container knows what the one before it in the same pod left. */
  readonly owner?: string | undefined;
  readonly minFreeShare?: number;
  /** How much of the newest is kept in memory too. */
  readonly memoryBytes?: number;
  readonly maxSegmentBytes?: number;
  /** Opens the files that are written. */
  readonly openFile?: OpenFile;
}

/**
 * A spool that outlives the process and a crash of the node. Its disk may fail: the newest frames are kept in memory
 * then, and written as soon as that works again.
 */
export class DurableSpool implements Spool {
  readonly #clock: Clock;
  readonly #store: DiskStore;
  /** What reads or changes the disk, one at a time: a disk that hangs holds one thread, not all. */
  readonly #disk = new TaskQueue();
  readonly #record: DiskRecord;
  readonly #queue: CommitQueue;
  readonly #adoption: Adoption;
  readonly #recent: RecentFrames;
  readonly #cursors = new Map<string, DurableCursor>();
  /** The targets that somebody delivers to. */
  readonly #claimed = new Set<string>();
  readonly #losses = new LossCount();
  readonly #host: CursorHost;
  readonly #stop = new AbortController();
  #caps: SpoolCaps;
  #appendedLines = 0;
  #maintaining = false;
  #savingCursors = false;
  #keeping = Promise.resolve();

  private constructor(options: DurableSpoolOptions) {
    const { directory: root, clock, observer, owner, openFile, maxSegmentBytes } = options;
    this.#clock = clock;
    this.#caps = options.caps ?? { maxBytes: Infinity, maxAgeMs: Infinity };
    this.#record = new DiskRecord(root, observer);
    this.#recent = new RecentFrames(options.memoryBytes ?? MEMORY_BYTES);
    const [me, record, disk, recent] = [thisProcess(owner), this.#record, this.#disk, this.#recent];
    const store = new DiskStore({
      root,
      me,
      clock,
      record,
      openFile,
      maxSegmentBytes,
      minFreeShare: options.minFreeShare ?? MIN_FREE_SHARE,
      caps: () => this.#caps,
      dropped: (segment, reason) => {
        this.#dropped(segment, reason);
      },
    });
    this.#store = store;
    const queue = new CommitQueue({ clock, disk, store, record, recent });
    this.#queue = queue;
    const cursor = (target: string): DurableCursor => this.#cursor(target);
    this.#adoption = new Adoption({ root, me, clock, record, store, queue, cursor, caps: () => this.#caps });
    this.#host = this.#cursorHost();
  }

  /** Begins with what is in the directory. Whatever is wrong with it, there is a spool. */
  static async open(options: DurableSpoolOptions): Promise<DurableSpool> {
    const spool = new DurableSpool(options);
    await spool.#disk.run(() => spool.#recover());
    spool.#keeping = spool.#keep();
    return spool;
  }

  set caps(caps: SpoolCaps) {
    this.#caps = caps;
    this.#maintain();
  }

  get stats(): SpoolStats & { readonly disk: DiskStats } {
    const { segments, bytes } = this.#store;
    const { unsaved } = this.#queue;
    const unclaimed = [...this.#cursors.values()].filter(({ name }) => !this.#claimed.has(name));
    return {
      frames: segments.reduce((sum, { frames }) => sum + frames, 0) + unsaved.length,
      bytes,
      appendedLines: this.#appendedLines,
      droppedLines: this.#losses.lines,
      losses: this.#losses.byReason,
      disk: {
        ...this.#record.counts,
        segments: segments.length,
        unsavedLines: unsaved.reduce((sum, { frame }) => sum + frame.lines, 0),
        unclaimedLines: unclaimed.reduce((sum, { backlog }) => sum + backlog.lines, 0),
      },
    };
  }

  async append(batch: LineBatch, targets?: readonly string[]): Promise<void> {
    if (batch.lines > 0) await this.#queue.add(() => this.#drafts(batch, targets));
  }

  cursor(target: string): SpoolCursor {
    this.#claimed.add(target);
    return this.#cursor(target);
  }

  removeCursor(target: string): void {
    this.#claimed.delete(target);
    this.#cursors.get(target)?.clear(this.#queue.head);
    this.#advanced();
  }

  /** Whatever was appended and acknowledged is on disk then, and the directory is free for another process. */
  async close(): Promise<void> {
    this.#stop.abort();
    const waited = new AbortController();
    await Promise.race([this.#end(), this.#clock.sleep(CLOSE_PATIENCE_MS, waited.signal)]);
    waited.abort();
  }

  async #end(): Promise<void> {
    await Promise.all([this.#keeping, this.#adoption.idle(), this.#queue.idle()]);
    await this.#queue.retry();
    await this.#disk.run(async () => {
      await this.#store.saveCursors(this.#positions());
      await this.#store.close();
    });
  }

  async #recover(): Promise<void> {
    try {
      const recovered = await this.#store.recover();
      if (recovered === undefined) return;
      this.#queue.head = recovered.head;
      for (const [name, next] of recovered.cursors) this.#cursors.set(name, new DurableCursor(name, next, this.#host));
      for (const [name, newest] of recovered.newest) {
        const cursor = this.#cursor(name, 0n);
        for (const segment of recovered.segments) cursor.recover(segment.waitingFor(name), newest);
      }
    } catch (error) {
      this.#record.failed(error);
    }
  }

  async #drafts(batch: LineBatch, targets: readonly string[] | undefined): Promise<readonly Draft[]> {
    const [createdAtMs, bornAtMs] = [this.#clock.now(), this.#clock.monotonic()];
    const drafts: Draft[] = [];
    for (const { lines, bytes } of splitBatch(batch)) {
      this.#appendedLines += lines;
      const readers = new Set([...(targets ?? this.#claimed)].filter((name) => this.#claimed.has(name)));
      // Nobody to deliver to: do not compress for the bin.
      if (readers.size === 0) continue;
      const frame = { lines, rawBytes: bytes.length, createdAtMs, payload: await compressLines(bytes) };
      drafts.push({ frame, bornAtMs, readers: new Set([...readers].map((name) => this.#cursor(name))) });
    }
    return drafts;
  }

  #cursor(name: string, next = this.#queue.head): DurableCursor {
    let cursor = this.#cursors.get(name);
    if (cursor === undefined) {
      cursor = new DurableCursor(name, next, this.#host);
      this.#cursors.set(name, cursor);
    }
    return cursor;
  }

  #cursorHost(): CursorHost {
    const store = this.#store;
    return {
      disk: this.#disk,
      get segments() {
        return store.segments;
      },
      expire: () => {
        this.#recent.expire(this.#clock.monotonic() - this.#caps.maxAgeMs);
        this.#maintain();
      },
      advanced: () => {
        this.#advanced();
      },
      damaged: (segment, offset) => {
        if (segment.notesDamage(offset)) this.#record.damaged(segment.path, 1);
      },
      lost: (reason, lines) => {
        this.#losses.add(reason, lines);
      },
    };
  }

  #dropped(segment: Segment, reason: DropReason): void {
    for (const name of [...segment.waiting.keys()]) this.#cursors.get(name)?.drop(segment, reason);
    this.#recent.trim();
  }

  /** A target has come further. */
  #advanced(): void {
    this.#recent.trim();
    this.#maintain();
    if (this.#savingCursors || this.#stop.signal.aborted) return;
    this.#savingCursors = true;
    void this.#clock.sleep(SAVE_CURSORS_MS, this.#stop.signal).then(() =>
      this.#disk.run(async () => {
        this.#savingCursors = false;
        await this.#store.saveCursors(this.#positions());
      }),
    );
  }

  /** Deletes what nobody needs or what a cap takes, as soon as the disk is free. */
  #maintain(): void {
    if (this.#maintaining || !this.#store.needsWork) return;
    this.#maintaining = true;
    void this.#disk.run(async () => {
      this.#maintaining = false;
      await this.#store.sweep();
      await this.#store.enforce();
    });
  }

  /** Where each target stands; those that neither have nor can have anything waiting are forgotten. */
  #positions(): ReadonlyMap<string, bigint> {
    const oldest = this.#store.segments[0]?.first;
    for (const [name, { backlog, next }] of this.#cursors) {
      const isDone = backlog.frames === 0 && (oldest === undefined || oldest >= next);
      if (isDone && !this.#claimed.has(name) && this.#queue.isIdle) this.#cursors.delete(name);
    }
    return new Map([...this.#cursors].map(([name, { next }]) => [name, next]));
  }

  async #keep(): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      await this.#clock.sleep(KEEP_MS, signal);
      if (signal.aborted) return;
      if (this.#queue.isStalled) continue;
      await this.#disk.run(() => this.#store.keep());
      await this.#queue.retry();
      this.#adoption.start(signal);
    }
  }
}
