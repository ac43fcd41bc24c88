import { rm, statfs } from "node:fs/promises";
import type { Clock } from "../lib/clock.ts";
import type { BufferedFrame, FrameLocation } from "./buffered-frame.ts";
import { errorCode } from "../lib/error-code.ts";
import type { DiskMonitor } from "./disk-monitor.ts";
import type { LockOwner } from "./lock.ts";
import type { DropReason } from "./losses.ts";
import { recover, type Recovered } from "./recovery.ts";
import { SegmentLog, type OpenFile } from "./segment-log.ts";
import type { Segment } from "./segment.ts";
import type { SpoolCaps } from "./spool.ts";
import {
  claimDir,
  newerDirsIn,
  newExtraDir,
  primaryDir,
  releaseDir,
  writeCursors,
  type WriterDir,
} from "./writer-dir.ts";

const MAX_SEGMENT_BYTES = 8 << 20;
const MIN_SEGMENT_BYTES = 256 << 10;
/** A cap drops whole segments. With this number of them, a drop costs a sixteenth of the cap. */
const SEGMENTS_PER_CAP = 16;
/**
 * Between two checks that the lock is still this agent's. Another one replaces it after a minute without a heartbeat, so a check is due
 * right after a disk, or this process, hung for that long.
 */
const LOCK_CHECK_MS = 30_000;
const DISK_FULL = new Set(["ENOSPC", "EDQUOT"]);

export interface DiskStoreOptions {
  readonly root: string;
  readonly self: LockOwner;
  readonly clock: Clock;
  readonly monitor: DiskMonitor;
  readonly caps: () => SpoolCaps;
  /** The share of the file system, from 0 to 1, that the store leaves free. */
  readonly minFreeShare: number;
  readonly maxSegmentBytes?: number | undefined;
  readonly openFile?: OpenFile | undefined;
  /** Called before a segment is deleted that targets may still need. */
  readonly dropped: (segment: Segment, reason: DropReason) => void;
}

/** The segments of a spool on disk, within the caps. Its methods must not run concurrently. */
export class DiskStore {
  readonly #options: DiskStoreOptions;
  #writerDir: WriterDir | undefined;
  /** On the monotonic clock. */
  #lockCheckedMs = Number.NEGATIVE_INFINITY;
  #log: SegmentLog | undefined;

  constructor(options: DiskStoreOptions) {
    this.#options = options;
  }

  get segments(): readonly Segment[] {
    return this.#log?.segments ?? [];
  }

  get bytes(): number {
    return this.#log?.bytes ?? 0;
  }

  get directory(): string | undefined {
    return this.#writerDir?.directory;
  }

  /**
   * Locks the primary directory and resolves to what an earlier agent left in it; undefined if it cannot be used. If it is too late
   * at the end, because the spool already numbers frames of its own, the directory is left to a takeover. `answered` is called for
   * each file.
   */
  async recover(answered: () => void, isLate: () => boolean): Promise<Recovered | undefined> {
    const { root, self, monitor, clock } = this.#options;
    const writerDir = await claimDir(primaryDir(root), self);
    if (writerDir === undefined) {
      monitor.report("E_SPOOL_LOCKED", `another agent writes to ${root}; this one uses a directory of its own in it`);
      return undefined;
    }
    const recovered = await recover(writerDir.directory, clock, answered).catch(async (error: unknown) => {
      await writerDir.lock.release();
      throw error;
    });
    if (!recovered.complete) {
      monitor.report(
        "E_SPOOL_DAMAGED",
        `${writerDir.directory} has more files or more damage than any spool: the agent starts without it, and takes over its lines in parts`,
      );
      await writerDir.lock.release();
      return undefined;
    }
    monitor.addUnsupportedFiles([...recovered.unsupportedFiles, ...(await newerDirsIn(root))]);
    if (recovered.unsupportedFiles.length > 0) {
      // The newer version needs its cursors unchanged too. A takeover delivers the segments that this version can read.
      await writerDir.lock.release();
      return undefined;
    }
    for (const { path } of recovered.consumed) {
      await this.#countErrors(() => rm(path, { force: true }));
      answered();
    }
    // Nothing may wait between this and the caller, which numbers its frames behind the recovered ones.
    if (isLate()) {
      await writerDir.lock.release();
      return undefined;
    }
    this.#open(writerDir, recovered.segments);
    monitor.addRecovery(recovered);
    return recovered;
  }

  /** Makes frames durable, and resolves to their locations. Rejects if the disk does not accept them. */
  async append(frames: readonly BufferedFrame[]): Promise<readonly FrameLocation[]> {
    const log = this.#log ?? (await this.#useExtraDirectory());
    await this.enforceCaps(frames.reduce((sum, { frame }) => sum + frame.payload.length, 0));
    try {
      return await log.append(frames);
    } catch (error) {
      this.#options.monitor.countError(error);
      const [oldest] = log.segments;
      // Only one segment: if another program fills the disk, dropping more does not help.
      if (oldest === undefined || !DISK_FULL.has(errorCode(error) ?? "")) throw error;
      await this.#drop(oldest, "disk");
      return log.append(frames);
    }
  }

  /** Drops the oldest segments until the caps hold with `incomingBytes` more. */
  async enforceCaps(incomingBytes = 0): Promise<void> {
    const { caps, clock } = this.#options;
    for (let [oldest] = this.segments; oldest !== undefined; [oldest] = this.segments) {
      const { maxBytes, maxAgeMs } = caps();
      if (oldest.newestMonotonicMs < clock.monotonic() - maxAgeMs) await this.#drop(oldest, "age");
      else if (this.bytes + incomingBytes > maxBytes) await this.#drop(oldest, "cap");
      else return;
    }
  }

  /** Whether a segment is consumed or over a cap. */
  get needsCleanup(): boolean {
    const { caps, clock } = this.#options;
    const [oldest] = this.segments;
    const isOver = this.bytes > caps().maxBytes;
    const isOld = oldest !== undefined && oldest.newestMonotonicMs < clock.monotonic() - caps().maxAgeMs;
    return isOver || isOld || this.segments.some(isConsumed);
  }

  async deleteConsumed(): Promise<void> {
    await this.#countErrors(() => this.#log?.remove(this.segments.filter(isConsumed)));
  }

  async saveCursors(cursors: ReadonlyMap<string, bigint>): Promise<void> {
    const directory = this.directory;
    if (directory !== undefined) await this.#countErrors(() => writeCursors(directory, cursors));
  }

  /** Sends the heartbeat, and enforces the free space and the caps. Runs every few seconds. */
  async maintain(): Promise<void> {
    await this.#countErrors(() => this.#heartbeat());
    await this.#countErrors(() => this.#enforceFreeSpace());
    await this.enforceCaps();
  }

  async close(): Promise<void> {
    const [writerDir, log] = [this.#writerDir, this.#log];
    await log?.seal();
    await this.deleteConsumed();
    // An empty primary directory is kept: it shows that there is a spool.
    const isEmpty = this.segments.length === 0 && writerDir?.directory !== primaryDir(this.#options.root);
    if (writerDir !== undefined) await this.#countErrors(() => releaseDir(writerDir, isEmpty));
  }

  async #heartbeat(): Promise<void> {
    const writerDir = this.#writerDir;
    if (writerDir === undefined) return;
    if (await this.#sendHeartbeat(writerDir)) return;
    // The lock file was deleted, and perhaps the newest segment with it, or another agent has replaced it.
    await this.#log?.seal();
    this.#writerDir = await claimDir(writerDir.directory, this.#options.self);
    if (this.#writerDir === undefined) this.#abandonDirectory(writerDir.directory);
  }

  /** Resolves to false if this agent has lost the lock. */
  async #sendHeartbeat({ lock }: WriterDir): Promise<boolean> {
    const nowMs = this.#options.clock.monotonic();
    if (nowMs - this.#lockCheckedMs >= LOCK_CHECK_MS) {
      if (!(await lock.isHeld())) return false;
      this.#lockCheckedMs = nowMs;
    }
    try {
      await lock.heartbeat();
      return true;
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw error;
      return false;
    }
  }

  /** Another agent has locked the directory, and delivers what it found in it. Lines that it did not find would be lost uncounted. */
  #abandonDirectory(directory: string): void {
    this.#options.monitor.report(
      "E_SPOOL_LOCKED",
      `another agent has taken over ${directory}, because this one or its disk hung: it delivers the lines, which count as dropped here`,
    );
    for (const segment of this.segments) this.#options.dropped(segment, "disk");
    this.#log = undefined;
  }

  async #useExtraDirectory(): Promise<SegmentLog> {
    const { root, self } = this.#options;
    const writerDir = await claimDir(newExtraDir(root), self);
    if (writerDir === undefined) throw new Error("a directory with a random name is locked");
    return this.#open(writerDir, []);
  }

  async #enforceFreeSpace(): Promise<void> {
    const { root, monitor, minFreeShare } = this.#options;
    const { bavail, blocks, bsize } = await statfs(root);
    let free = bavail * bsize;
    monitor.freeBytes = free;
    // The newest segment is kept: its size makes no difference for the file system.
    while (free < blocks * bsize * minFreeShare && this.segments.length > 1) {
      const [oldest] = this.segments;
      if (oldest === undefined) return;
      free += oldest.bytes;
      await this.#drop(oldest, "disk");
    }
  }

  async #drop(segment: Segment, reason: DropReason): Promise<void> {
    this.#options.dropped(segment, reason);
    await this.#countErrors(() => this.#log?.remove([segment]));
  }

  #open(writerDir: WriterDir, segments: readonly Segment[]): SegmentLog {
    const { caps, clock, openFile, maxSegmentBytes = MAX_SEGMENT_BYTES } = this.#options;
    this.#writerDir = writerDir;
    this.#log = new SegmentLog(writerDir.directory, segments, {
      segmentBytes: () => Math.min(maxSegmentBytes, Math.max(MIN_SEGMENT_BYTES, caps().maxBytes / SEGMENTS_PER_CAP)),
      sealBeforeMs: () => clock.monotonic() - caps().maxAgeMs / SEGMENTS_PER_CAP,
      openFile,
    });
    return this.#log;
  }

  /** Runs an action that is not essential or will be retried: an error is only counted. */
  async #countErrors(action: () => Promise<void> | undefined): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#options.monitor.countError(error);
    }
  }
}

function isConsumed({ sealed, pending }: Segment): boolean {
  return sealed && pending.size === 0;
}
