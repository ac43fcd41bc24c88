import { open, rm } from "node:fs/promises";
import type { Clock } from "../lib/clock.ts";
import type { PendingFrame } from "./buffered-frame.ts";
import type { CommitQueue } from "./commit-queue.ts";
import type { DiskMonitor } from "./disk-monitor.ts";
import type { DiskStore } from "./disk-store.ts";
import { readLock, SpoolLock, type LockOwner } from "./lock.ts";
import type { DropReason } from "./losses.ts";
import { recover, type Recovered } from "./recovery.ts";
import { FrameTime } from "./frame-time.ts";
import { SegmentReader } from "./segment-reader.ts";
import type { Segment } from "./segment.ts";
import type { SpoolCaps } from "./spool.ts";
import type { TargetCursor } from "./target-cursor.ts";
import { MAX_SEGMENTS, readableDirsIn, releaseDir, segmentPaths, type WriterDir } from "./writer-dir.ts";

/** A lock is stale without a heartbeat for this time. An agent sends one every few seconds. */
const STALE_MS = 60_000;
/** Between two looks for directories of other agents, as long as there are none. */
const ALONE_MS = 60_000;
/** Payload bytes that are committed at a time. */
const CHUNK_BYTES = 1 << 20;

export interface TakeoverOptions {
  readonly root: string;
  readonly self: LockOwner;
  readonly clock: Clock;
  readonly monitor: DiskMonitor;
  readonly store: DiskStore;
  readonly commits: CommitQueue;
  readonly caps: () => SpoolCaps;
  readonly cursor: (target: string) => TargetCursor;
}

/** Commits the frames in the directories of ended agents to this agent's spool, like new frames, and deletes the directories. */
export class Takeover {
  readonly #options: TakeoverOptions;
  /** Directory -> the heartbeat of its lock, and when this agent first saw that heartbeat, on the monotonic clock. */
  readonly #observed = new Map<string, { readonly heartbeatMs: number; readonly sinceMs: number }>();
  /** Directory -> the paths of its first segments when all that is left of them is unsupported. */
  readonly #finished = new Map<string, string>();
  #running: Promise<void> | undefined;
  /** Until then there is nothing to look for, on the monotonic clock. */
  #aloneUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: TakeoverOptions) {
    this.#options = options;
  }

  /** Checks every directory, unless an earlier check is still running or has just found no directory of another agent. */
  start(signal: AbortSignal): void {
    if (this.#options.clock.monotonic() < this.#aloneUntilMs) return;
    this.#running ??= this.#run(signal)
      .catch((error: unknown) => {
        this.#options.monitor.countError(error);
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { root, clock, store, commits, monitor } = this.#options;
    const others = (await readableDirsIn(root)).filter((directory) => directory !== store.directory);
    if (others.length === 0) this.#aloneUntilMs = clock.monotonic() + ALONE_MS;
    for (const directory of others) {
      // While the disk fails, a takeover would only displace new lines from memory.
      if (signal.aborted || commits.unsaved.length > 0) return;
      try {
        await this.#takeOver(directory, signal);
      } catch (error) {
        monitor.countError(error);
      }
    }
  }

  async #takeOver(directory: string, signal: AbortSignal): Promise<void> {
    if (this.#finished.get(directory) === (await segmentPaths(directory, MAX_SEGMENTS)).join()) return;
    const lock = await SpoolLock.acquire(directory, this.#options.self, await this.#staleHeartbeat(directory));
    if (lock === undefined) return;
    const writerDir = { directory, lock };
    let isEmpty = false;
    try {
      const recovered = await recover(directory, this.#options.clock);
      if (!(await this.#import(recovered, writerDir, signal))) return;
      // A directory that is read in parts has other files now, so the next check continues with it.
      isEmpty = recovered.complete && recovered.unsupportedFiles.length === 0;
      if (recovered.complete || recovered.unsupportedFiles.length > 0)
        this.#finished.set(directory, recovered.unsupportedFiles.join());
    } finally {
      await releaseDir(writerDir, isEmpty);
    }
  }

  /** Resolves to the heartbeat of a lock if it is stale. Measured on this agent's clock, because file times can be wrong. */
  async #staleHeartbeat(directory: string): Promise<number | undefined> {
    const heartbeatMs = (await readLock(directory))?.heartbeatMs;
    const now = this.#options.clock.monotonic();
    const observed = this.#observed.get(directory);
    if (heartbeatMs !== undefined && observed?.heartbeatMs === heartbeatMs)
      return now - observed.sinceMs >= STALE_MS ? heartbeatMs : undefined;
    if (heartbeatMs === undefined) this.#observed.delete(directory);
    else this.#observed.set(directory, { heartbeatMs, sinceMs: now });
    return undefined;
  }

  /** Resolves to whether every frame was taken over or dropped. */
  async #import(recovered: Recovered, { directory, lock }: WriterDir, signal: AbortSignal): Promise<boolean> {
    const { monitor, commits } = this.#options;
    monitor.addRecovery(recovered);
    monitor.addUnsupportedFiles(recovered.unsupportedFiles);
    for (const { path } of recovered.consumed) await rm(path, { force: true });
    let leftBytes = recovered.segments.reduce((sum, { bytes }) => sum + bytes, 0);
    let lines = 0;
    for (const segment of recovered.segments) {
      if (signal.aborted || !(await lock.isHeld())) return false;
      await lock.heartbeat();
      const reason = this.#dropReason(segment, leftBytes);
      if (reason === undefined) {
        for await (const frames of this.#pendingFrames(segment, recovered.cursors)) {
          await commits.commit(() => Promise.resolve(frames));
          // The disk failed. The frames stay in their segment too, and some may be sent twice.
          if (commits.unsaved.length > 0) return false;
          lines += frames.reduce((sum, { frame }) => sum + frame.lines, 0);
        }
      } else for (const [target, totals] of segment.pending) this.#countLost([target], totals.lines, reason);
      await rm(segment.path, { force: true });
      leftBytes -= segment.bytes;
    }
    if (recovered.segments.length > 0) monitor.takenOver(directory, lines);
    return true;
  }

  /**
   * Returns why a segment must be dropped; undefined if it fits the caps. `leftBytes` is the size of this segment and the newer
   * ones. Frames of an ended agent count as older than all frames of this spool, so the caps drop them first.
   */
  #dropReason({ newestMonotonicMs }: Segment, leftBytes: number): DropReason | undefined {
    const { clock, store } = this.#options;
    const { maxAgeMs, maxBytes } = this.#options.caps();
    if (newestMonotonicMs < clock.monotonic() - maxAgeMs) return "age";
    return store.bytes + leftBytes > maxBytes ? "cap" : undefined;
  }

  /** Yields the frames of a segment that some target still needs, in chunks. */
  async *#pendingFrames(
    { path, first, bytes, oldestMonotonicMs }: Segment,
    cursors: ReadonlyMap<string, bigint>,
  ): AsyncGenerator<readonly PendingFrame[]> {
    const time = new FrameTime(oldestMonotonicMs);
    await using file = await open(path, "r");
    const reader = new SegmentReader(file, bytes);
    let chunk: PendingFrame[] = [];
    let chunkBytes = 0;
    let last = first - 1n;
    for (let found = await reader.next(); found !== undefined; found = await reader.next()) {
      if (found.kind !== "frame") continue;
      const { sequence, lines, rawBytes, createdAtMs } = found.header;
      if (sequence <= last) continue;
      last = sequence;
      const monotonicMs = time.next(createdAtMs);
      const targets = found.header.targets.filter((target) => sequence >= (cursors.get(target) ?? 0n));
      if (targets.length === 0) continue;
      const payload = await reader.payload(found);
      if (payload === undefined) {
        this.#options.monitor.addDamage(path, 1);
        this.#countLost(targets, lines, "corrupt");
        continue;
      }
      const consumers = new Set(targets.map((target) => this.#options.cursor(target)));
      const frame = { lines, rawBytes, createdAtMs, payload };
      chunk.push({ frame, monotonicMs, consumers });
      chunkBytes += payload.length;
      if (chunkBytes < CHUNK_BYTES) continue;
      yield chunk;
      chunk = [];
      chunkBytes = 0;
    }
    if (chunk.length > 0) yield chunk;
  }

  #countLost(targets: readonly string[], lines: number, reason: DropReason): void {
    for (const target of targets) this.#options.cursor(target).countLost(lines, reason);
  }
}
