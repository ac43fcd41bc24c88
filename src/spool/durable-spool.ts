import type { Clock } from "../lib/clock.ts";
import { msToNextRound } from "../lib/rounds.ts";
import { TaskQueue } from "../lib/task-queue.ts";
import { within } from "../lib/within.ts";
import type { PendingFrame } from "./buffered-frame.ts";
import { CommitQueue } from "./commit-queue.ts";
import { DiskMonitor, type DiskStats, type SpoolObserver } from "./disk-monitor.ts";
import { DiskStore } from "./disk-store.ts";
import { splitBatch } from "./batch-parts.ts";
import { compressLines } from "./gzip-member.ts";
import { thisProcess } from "./lock.ts";
import { LossCount, type DropReason } from "./losses.ts";
import { RecentFrames } from "./recent-frames.ts";
import type { OpenFile } from "./segment-log.ts";
import type { Segment } from "./segment.ts";
import type { LineBatch, Spool, SpoolCaps, SpoolCursor, SpoolStats } from "./spool.ts";
import { Takeover } from "./takeover.ts";
import { TargetCursor, type CursorHost } from "./target-cursor.ts";

/** How long a position may be unsaved after an acknowledgement. */
const SAVE_CURSORS_MS = 1_000;
/** Between two rounds of maintenance. */
const MAINTENANCE_MS = 5_000;
/** How long `close` waits for the disk. */
const CLOSE_TIMEOUT_MS = 5_000;
const MEMORY_BYTES = 8 << 20;
/** The kubelet begins to evict pods when less than a tenth is free. */
const MIN_FREE_SHARE = 0.12;

export interface DurableSpoolOptions {
  readonly directory: string;
  /** Without caps nothing is dropped for its size or age until `caps` is set. */
  readonly caps?: SpoolCaps;
  readonly clock: Clock;
  readonly observer?: SpoolObserver | undefined;
  /** The UID of the pod: shows that a lock was left by an earlier container of the same pod. */
  readonly owner?: string | undefined;
  /** The share of the file system, from 0 to 1, that the spool leaves free. */
  readonly minFreeShare?: number | undefined;
  /** Compressed bytes of the newest frames that stay in memory too. */
  readonly memoryBytes?: number;
  readonly maxSegmentBytes?: number;
  /** Opens segment files for writing. */
  readonly openFile?: OpenFile;
}

/**
 * A spool that outlives the process and a crash of the node. While its disk fails, the newest frames stay in memory; they
 * are written when the disk works again. README.md in this directory has the design.
 */
export class DurableSpool implements Spool {
  readonly #clock: Clock;
  readonly #store: DiskStore;
  /** Runs everything that reads or changes the disk, one task at a time: a disk that hangs blocks one thread, not all. */
  readonly #disk = new TaskQueue();
  readonly #monitor: DiskMonitor;
  readonly #commits: CommitQueue;
  readonly #takeover: Takeover;
  readonly #recent: RecentFrames;
  readonly #cursors = new Map<string, TargetCursor>();
  /** The targets of the configuration. Other cursors belong to targets of an earlier process. */
  readonly #configured = new Set<string>();
  readonly #losses = new LossCount();
  readonly #host: CursorHost;
  readonly #stop = new AbortController();
  #caps: SpoolCaps;
  #appendedLines = 0;
  #appendedBytes = 0;
  #isCleanupScheduled = false;
  #isSaveScheduled = false;
  #maintenance = Promise.resolve();

  private constructor(options: DurableSpoolOptions) {
    const { directory: root, clock, observer, owner, openFile, maxSegmentBytes } = options;
    this.#clock = clock;
    this.#caps = options.caps ?? { maxBytes: Infinity, maxAgeMs: Infinity };
    this.#monitor = new DiskMonitor(root, observer);
    this.#recent = new RecentFrames(options.memoryBytes ?? MEMORY_BYTES);
    const [self, monitor, disk, recent] = [thisProcess(owner), this.#monitor, this.#disk, this.#recent];
    const caps = (): SpoolCaps => this.#caps;
    const store = new DiskStore({
      root,
      self,
      clock,
      monitor,
      openFile,
      maxSegmentBytes,
      minFreeShare: options.minFreeShare ?? MIN_FREE_SHARE,
      caps,
      dropped: (segment, reason) => {
        this.#dropSegment(segment, reason);
      },
    });
    this.#store = store;
    const commits = new CommitQueue({ clock, disk, store, monitor, recent });
    this.#commits = commits;
    const cursor = (target: string): TargetCursor => this.#cursor(target);
    this.#takeover = new Takeover({ root, self, clock, monitor, store, commits, cursor, caps });
    this.#host = this.#cursorHost();
  }

  /**
   * Opens the spool with the lines in its directory. Never rejects, and does not wait for a disk that hangs: with a failing disk the
   * spool keeps lines in memory.
   */
  static async open(options: DurableSpoolOptions): Promise<DurableSpool> {
    const spool = new DurableSpool(options);
    await spool.#commits.onDisk((answered) => spool.#recover(answered));
    spool.#maintenance = spool.#maintenanceLoop();
    return spool;
  }

  set caps(caps: SpoolCaps) {
    this.#caps = caps;
    this.#scheduleCleanup();
  }

  get stats(): SpoolStats & { readonly disk: DiskStats } {
    const { segments, bytes } = this.#store;
    const { unsaved } = this.#commits;
    const orphaned = [...this.#cursors.values()].filter(({ name }) => !this.#configured.has(name));
    return {
      frames: segments.reduce((sum, { frames }) => sum + frames, 0) + unsaved.length,
      bytes,
      appendedLines: this.#appendedLines,
      appendedBytes: this.#appendedBytes,
      droppedLines: this.#losses.lines,
      losses: this.#losses.byReason,
      disk: {
        ...this.#monitor.counts,
        segments: segments.length,
        unsavedLines: unsaved.reduce((sum, { frame }) => sum + frame.lines, 0),
        orphanedLines: orphaned.reduce((sum, { backlog }) => sum + backlog.lines, 0),
      },
    };
  }

  async append(batch: LineBatch, targets?: readonly string[]): Promise<void> {
    if (batch.lines > 0) await this.#commits.commit(() => this.#pendingFrames(batch, targets));
  }

  cursor(target: string): SpoolCursor {
    this.#configured.add(target);
    return this.#cursor(target);
  }

  removeCursor(target: string): void {
    this.#configured.delete(target);
    this.#cursors.get(target)?.clear(this.#commits.nextSequence);
    this.#advanced();
  }

  /** Writes unsaved frames and the positions, and unlocks the directory. Does not wait for a disk that hangs. */
  async close(): Promise<void> {
    this.#stop.abort();
    await within(this.#finish(), CLOSE_TIMEOUT_MS, this.#clock);
  }

  async #finish(): Promise<void> {
    await Promise.all([this.#maintenance, this.#takeover.idle(), this.#commits.idle()]);
    await this.#commits.retry();
    await this.#disk.run(async () => {
      await this.#store.saveCursors(this.#positions());
      await this.#store.close();
    });
  }

  async #recover(answered: () => void): Promise<void> {
    try {
      const recovered = await this.#store.recover(answered, () => this.#commits.isStalled);
      if (recovered === undefined) return;
      this.#commits.nextSequence = recovered.nextSequence;
      for (const [name, next] of recovered.cursors) this.#cursors.set(name, new TargetCursor(name, next, this.#host));
      for (const [name, newest] of recovered.newest) {
        const cursor = this.#cursor(name, 0n);
        for (const segment of recovered.segments) cursor.addRecovered(segment.pendingFor(name), newest);
      }
    } catch (error) {
      this.#monitor.writeFailed(error);
    }
  }

  async #pendingFrames(batch: LineBatch, targets: readonly string[] | undefined): Promise<readonly PendingFrame[]> {
    const [createdAtMs, monotonicMs] = [this.#clock.now(), this.#clock.monotonic()];
    const pending: PendingFrame[] = [];
    for (const { lines, bytes } of splitBatch(batch)) {
      this.#appendedLines += lines;
      const names = new Set([...(targets ?? this.#configured)].filter((name) => this.#configured.has(name)));
      // Lines without a target are not compressed.
      if (names.size === 0) continue;
      const payload = await compressLines(bytes);
      this.#appendedBytes += payload.length;
      const frame = { lines, rawBytes: bytes.length, createdAtMs, payload };
      pending.push({ frame, monotonicMs, consumers: new Set([...names].map((name) => this.#cursor(name))) });
    }
    return pending;
  }

  #cursor(name: string, next = this.#commits.nextSequence): TargetCursor {
    let cursor = this.#cursors.get(name);
    if (cursor === undefined) {
      cursor = new TargetCursor(name, next, this.#host);
      this.#cursors.set(name, cursor);
    }
    return cursor;
  }

  #cursorHost(): CursorHost {
    const store = this.#store;
    return {
      log: {
        disk: this.#disk,
        get segments() {
          return store.segments;
        },
        advanced: () => {
          this.#advanced();
        },
        damaged: (segment, offset) => {
          if (segment.addDamage(offset)) this.#monitor.addDamage(segment.path, 1);
        },
      },
      expire: () => {
        this.#recent.expire(this.#clock.monotonic() - this.#caps.maxAgeMs);
        this.#scheduleCleanup();
      },
      unused: () => {
        this.#recent.trim();
      },
      lost: (reason, lines) => {
        this.#losses.add(reason, lines);
      },
    };
  }

  #dropSegment(segment: Segment, reason: DropReason): void {
    for (const name of [...segment.pending.keys()]) this.#cursors.get(name)?.dropSegment(segment, reason);
  }

  #advanced(): void {
    this.#scheduleCleanup();
    if (this.#isSaveScheduled || this.#stop.signal.aborted) return;
    this.#isSaveScheduled = true;
    void this.#clock.sleep(SAVE_CURSORS_MS, this.#stop.signal).then(() =>
      this.#disk.run(async () => {
        this.#isSaveScheduled = false;
        await this.#store.saveCursors(this.#positions());
      }),
    );
  }

  /** Deletes consumed segments and those over a cap, as soon as the disk is free. */
  #scheduleCleanup(): void {
    if (this.#isCleanupScheduled || !this.#store.needsCleanup) return;
    this.#isCleanupScheduled = true;
    void this.#disk.run(async () => {
      this.#isCleanupScheduled = false;
      await this.#store.deleteConsumed();
      await this.#store.enforceCaps();
    });
  }

  /** Returns the position of each target, and forgets orphaned targets that no frame on disk or in memory is for. */
  #positions(): ReadonlyMap<string, bigint> {
    const oldest = this.#store.segments[0]?.first;
    for (const [name, { backlog, next }] of this.#cursors) {
      const isDone = backlog.frames === 0 && (oldest === undefined || oldest >= next);
      if (isDone && !this.#configured.has(name) && this.#commits.isPublished) this.#cursors.delete(name);
    }
    return new Map([...this.#cursors].map(([name, { next }]) => [name, next]));
  }

  async #maintenanceLoop(): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      await this.#clock.sleep(msToNextRound(MAINTENANCE_MS, this.#clock), signal);
      if (signal.aborted) return;
      if (this.#commits.isStalled) continue;
      try {
        await this.#disk.run(() => this.#store.maintain());
        await this.#commits.retry();
        this.#takeover.start(signal);
      } catch (error) {
        // Nothing is known to throw here. The heartbeat must go on, or another agent takes the directory.
        this.#monitor.countError(error);
      }
    }
  }
}
