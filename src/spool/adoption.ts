import { open, rm } from "node:fs/promises";
import type { Clock } from "../lib/clock.ts";
import type { CommitQueue } from "./commit-queue.ts";
import type { DiskRecord } from "./disk-record.ts";
import type { DiskStore } from "./disk-store.ts";
import type { DurableCursor } from "./durable-cursor.ts";
import type { Draft } from "./kept.ts";
import { seeLock, SpoolLock, type Holder } from "./lock.ts";
import type { DropReason } from "./losses.ts";
import { bornAtOn, recover, type Recovered } from "./recovery.ts";
import { SegmentReader } from "./segment-reader.ts";
import type { Segment } from "./segment.ts";
import { segmentPaths } from "./spool-files.ts";
import { homesIn, leaveHome, type Home } from "./spool-home.ts";
import type { SpoolCaps } from "./spool.ts";

/** Every agent shows that it lives every few seconds: whose lock has not changed for so long is gone. */
const SILENCE_MS = 60_000;
/** So much is made durable at a time. */
const CHUNK_BYTES = 1 << 20;

export interface AdoptionOptions {
  readonly root: string;
  readonly me: Holder;
  readonly clock: Clock;
  readonly record: DiskRecord;
  /** What is adopted gets in here, like what is new. */
  readonly store: DiskStore;
  readonly queue: CommitQueue;
  readonly caps: () => SpoolCaps;
  readonly cursor: (target: string) => DurableCursor;
}

/** Takes over the directories of agents that are gone: their frames get into this agent's own, and they are deleted. */
export class Adoption {
  readonly #options: AdoptionOptions;
  /** Directory -> the lock as it was seen first, and when. */
  readonly #seen = new Map<string, { readonly beatMs: number; readonly atMs: number }>();
  /** Directory -> the segments that are to stay in it: of newer versions. */
  readonly #finished = new Map<string, string>();
  #running: Promise<void> | undefined;

  constructor(options: AdoptionOptions) {
    this.#options = options;
  }

  /** Looks around, unless that still goes on. */
  start(signal: AbortSignal): void {
    this.#running ??= this.#run(signal)
      .catch((error: unknown) => {
        this.#options.record.error(error);
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  async idle(): Promise<void> {
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { root, store, queue, record } = this.#options;
    for (const directory of (await homesIn(root)).homes) {
      // While the disk takes nothing, what is adopted would only push new lines out of the memory.
      if (directory === store.directory || signal.aborted || queue.unsaved.length > 0) continue;
      try {
        await this.#adopt(directory, signal);
      } catch (error) {
        record.error(error);
      }
    }
  }

  async #adopt(directory: string, signal: AbortSignal): Promise<void> {
    if (this.#finished.get(directory) === (await segmentPaths(directory)).join()) return;
    const lock = await SpoolLock.take(directory, this.#options.me, await this.#silent(directory));
    if (lock === undefined) return;
    const home = { directory, lock };
    let isEmpty = false;
    try {
      const recovered = await recover(directory, bornAtOn(this.#options.clock));
      if (!(await this.#import(recovered, home, signal))) return;
      isEmpty = recovered.leftAlone.length === 0;
      this.#finished.set(directory, recovered.leftAlone.join());
    } finally {
      await leaveHome(home, isEmpty);
    }
  }

  /** The beat of a lock that has not changed for long. On the own clock: that of the files may be set. */
  async #silent(directory: string): Promise<number | undefined> {
    const beatMs = (await seeLock(directory))?.beatMs;
    const now = this.#options.clock.monotonic();
    const seen = this.#seen.get(directory);
    if (beatMs !== undefined && seen?.beatMs === beatMs) return now - seen.atMs >= SILENCE_MS ? beatMs : undefined;
    if (beatMs === undefined) this.#seen.delete(directory);
    else this.#seen.set(directory, { beatMs, atMs: now });
    return undefined;
  }

  /** Whether all of it is taken over. */
  async #import(recovered: Recovered, { directory, lock }: Home, signal: AbortSignal): Promise<boolean> {
    const { record } = this.#options;
    record.recovered(recovered);
    record.leftAlone(recovered.leftAlone);
    for (const { path } of recovered.passed) await rm(path, { force: true });
    let left = recovered.segments.reduce((sum, { bytes }) => sum + bytes, 0);
    let lines = 0;
    for (const segment of recovered.segments) {
      if (signal.aborted) return false;
      await lock.beat();
      const reason = this.#refuses(segment, left);
      if (reason === undefined) {
        for await (const drafts of this.#draftsOf(segment, recovered.cursors)) {
          await this.#options.queue.add(() => Promise.resolve(drafts));
          // They stay where they are too then, and some will be sent twice.
          if (this.#options.queue.unsaved.length > 0) return false;
          lines += drafts.reduce((sum, { frame }) => sum + frame.lines, 0);
        }
      } else for (const [target, totals] of segment.waiting) this.#forgo([target], totals.lines, reason);
      await rm(segment.path, { force: true });
      left -= segment.bytes;
    }
    if (recovered.segments.length > 0) record.adopted(directory, lines);
    return true;
  }

  /** Why a segment is not wanted, which is the oldest of so many bytes. What an agent left is older than what is new. */
  #refuses({ newestBornAtMs }: Segment, bytes: number): DropReason | undefined {
    const { clock, store } = this.#options;
    const { maxAgeMs, maxBytes } = this.#options.caps();
    if (newestBornAtMs < clock.monotonic() - maxAgeMs) return "age";
    return store.bytes + bytes > maxBytes ? "cap" : undefined;
  }

  /** The frames of a segment that some target still needs, a number of them at a time. */
  async *#draftsOf({ path, bytes }: Segment, cursors: ReadonlyMap<string, bigint>): AsyncGenerator<readonly Draft[]> {
    const born = bornAtOn(this.#options.clock);
    await using file = await open(path, "r");
    const reader = new SegmentReader(file, bytes);
    let drafts: Draft[] = [];
    let draftBytes = 0;
    for (let found = await reader.next(); found !== undefined; found = await reader.next()) {
      if (found.kind !== "frame") continue;
      const { sequence, lines, rawBytes, createdAtMs } = found.header;
      const targets = found.header.targets.filter((target) => sequence >= (cursors.get(target) ?? 0n));
      if (targets.length === 0) continue;
      const payload = await reader.payload(found);
      if (payload === undefined) {
        this.#options.record.damaged(path, 1);
        this.#forgo(targets, lines, "corrupt");
        continue;
      }
      const readers = new Set(targets.map((target) => this.#options.cursor(target)));
      drafts.push({ frame: { lines, rawBytes, createdAtMs, payload }, bornAtMs: born(createdAtMs), readers });
      draftBytes += payload.length;
      if (draftBytes < CHUNK_BYTES) continue;
      yield drafts;
      drafts = [];
      draftBytes = 0;
    }
    if (drafts.length > 0) yield drafts;
  }

  #forgo(targets: readonly string[], lines: number, reason: DropReason): void {
    for (const target of targets) this.#options.cursor(target).forgo(lines, reason);
  }
}
