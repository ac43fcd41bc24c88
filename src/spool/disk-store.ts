import { statfs } from "node:fs/promises";
import type { Clock } from "../lib/clock.ts";
import { errorCode, type DiskRecord } from "./disk-record.ts";
import type { Kept, Place } from "./kept.ts";
import type { Holder } from "./lock.ts";
import type { DropReason } from "./losses.ts";
import { bornAtOn, recover, type Recovered } from "./recovery.ts";
import type { Segment } from "./segment.ts";
import { SegmentLog, type OpenFile } from "./segment-log.ts";
import type { SpoolCaps } from "./spool.ts";
import { writeCursors } from "./spool-files.ts";
import { claimHome, homesIn, leaveHome, mainHome, sideHome, type Home } from "./spool-home.ts";

const MAX_SEGMENT_BYTES = 8 << 20;
const MIN_SEGMENT_BYTES = 256 << 10;
/** A cap takes whole segments: so much of what it allows is lost at once, at most. */
const SEGMENTS_PER_CAP = 16;
const NO_ROOM = new Set(["ENOSPC", "EDQUOT"]);

export interface DiskStoreOptions {
  readonly root: string;
  readonly me: Holder;
  readonly clock: Clock;
  readonly record: DiskRecord;
  readonly caps: () => SpoolCaps;
  /** Below this part of the file system being free the oldest segments go. */
  readonly minFreeShare: number;
  readonly maxSegmentBytes?: number | undefined;
  readonly openFile?: OpenFile | undefined;
  /** A segment is about to be deleted although it is still needed. */
  readonly dropped: (segment: Segment, reason: DropReason) => void;
}

/** The part of a spool that is on disk, within its caps. Its methods must not run concurrently. */
export class DiskStore {
  readonly #options: DiskStoreOptions;
  #home: Home | undefined;
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
    return this.#home?.directory;
  }

  /** What an agent before this one left in the main directory; undefined if that cannot be used. */
  async recover(): Promise<Recovered | undefined> {
    const { root, me, record, clock } = this.#options;
    const home = await claimHome(mainHome(root), me);
    if (home === undefined) {
      record.found("E_SPOOL_LOCKED", `another agent writes to ${root}; this one uses a directory of its own in it`);
      return undefined;
    }
    const recovered = await recover(home.directory, bornAtOn(clock)).catch(async (error: unknown) => {
      await home.lock.release();
      throw error;
    });
    record.leftAlone([...recovered.leftAlone, ...(await homesIn(root)).newer]);
    if (recovered.leftAlone.length > 0) {
      // The cursors must stay as they are too. What can be read is taken over like that of another agent.
      await home.lock.release();
      return undefined;
    }
    this.#open(home, recovered.segments);
    record.recovered(recovered);
    await this.#attempt(() => this.#log?.remove(recovered.passed));
    return recovered;
  }

  /** Makes frames durable, and returns where they are. Rejects when the disk does not take them. */
  async append(frames: readonly Kept[]): Promise<readonly Place[]> {
    const log = this.#log ?? (await this.#moveAside());
    await this.enforce(frames.reduce((sum, { frame }) => sum + frame.payload.length, 0));
    try {
      return await log.append(frames);
    } catch (error) {
      this.#options.record.error(error);
      const [oldest] = log.segments;
      // One at a time: where this does not help, no more should go.
      if (oldest === undefined || !NO_ROOM.has(errorCode(error) ?? "")) throw error;
      await this.#drop(oldest, "disk");
      return log.append(frames);
    }
  }

  /** Drops the oldest segments that a cap does not allow, when so many bytes more are to be written. */
  async enforce(incoming = 0): Promise<void> {
    const { caps, clock } = this.#options;
    for (let [oldest] = this.segments; oldest !== undefined; [oldest] = this.segments) {
      const { maxBytes, maxAgeMs } = caps();
      if (oldest.newestBornAtMs < clock.monotonic() - maxAgeMs) await this.#drop(oldest, "age");
      else if (this.bytes + incoming > maxBytes) await this.#drop(oldest, "cap");
      else return;
    }
  }

  /** Whether something is there that nobody needs, or that a cap does not allow. */
  get needsWork(): boolean {
    const { caps, clock } = this.#options;
    const [oldest] = this.segments;
    const isOver = this.bytes > caps().maxBytes;
    const isOld = oldest !== undefined && oldest.newestBornAtMs < clock.monotonic() - caps().maxAgeMs;
    return isOver || isOld || this.segments.some(isPassed);
  }

  /** Deletes what nobody needs. */
  async sweep(): Promise<void> {
    await this.#attempt(() => this.#log?.remove(this.segments.filter(isPassed)));
  }

  async saveCursors(cursors: ReadonlyMap<string, bigint>): Promise<void> {
    const home = this.#home;
    if (home !== undefined) await this.#attempt(() => writeCursors(home.directory, cursors));
  }

  /** Every few seconds: shows that this agent lives, and leaves others some room on the disk. */
  async keep(): Promise<void> {
    await this.#attempt(() => this.#beat());
    await this.#attempt(() => this.#makeRoom());
    await this.enforce();
  }

  async close(): Promise<void> {
    const [home, log] = [this.#home, this.#log];
    await log?.seal();
    await this.sweep();
    // The main one stays: a spool is there, with nothing in it.
    const isEmpty = this.segments.length === 0 && home?.directory !== mainHome(this.#options.root);
    if (home !== undefined) await this.#attempt(() => leaveHome(home, isEmpty));
  }

  async #beat(): Promise<void> {
    const home = this.#home;
    if (home === undefined) return;
    try {
      await home.lock.beat();
    } catch (error) {
      if (errorCode(error) !== "ENOENT") throw error;
      // Somebody deleted it, and the newest file with it perhaps.
      await this.#log?.seal();
      this.#home = await claimHome(home.directory, this.#options.me);
      if (this.#home === undefined) this.#leave();
    }
  }

  /** The directory is another agent's now, which delivers what is in it. */
  #leave(): void {
    for (const segment of this.segments) this.#options.dropped(segment, "disk");
    this.#log = undefined;
  }

  async #moveAside(): Promise<SegmentLog> {
    const { root, me } = this.#options;
    const home = await claimHome(sideHome(root), me);
    if (home === undefined) throw new Error("a directory with a name chosen at random is taken");
    return this.#open(home, []);
  }

  async #makeRoom(): Promise<void> {
    const { root, record, minFreeShare } = this.#options;
    const { bavail, blocks, bsize } = await statfs(root);
    let free = bavail * bsize;
    record.freeBytes = free;
    // The newest stays: that much helps nobody.
    while (free < blocks * bsize * minFreeShare && this.segments.length > 1) {
      const [oldest] = this.segments;
      if (oldest === undefined) return;
      free += oldest.bytes;
      await this.#drop(oldest, "disk");
    }
  }

  async #drop(segment: Segment, reason: DropReason): Promise<void> {
    this.#options.dropped(segment, reason);
    await this.#attempt(() => this.#log?.remove([segment]));
  }

  #open(home: Home, segments: readonly Segment[]): SegmentLog {
    const { caps, clock, openFile, maxSegmentBytes = MAX_SEGMENT_BYTES } = this.#options;
    this.#home = home;
    this.#log = new SegmentLog(home.directory, segments, {
      segmentBytes: () => Math.min(maxSegmentBytes, Math.max(MIN_SEGMENT_BYTES, caps().maxBytes / SEGMENTS_PER_CAP)),
      sealBornBefore: () => clock.monotonic() - caps().maxAgeMs / SEGMENTS_PER_CAP,
      openFile,
    });
    return this.#log;
  }

  /** For what can be done without, and will be tried again. */
  async #attempt(action: () => Promise<void> | undefined): Promise<void> {
    try {
      await action();
    } catch (error) {
      this.#options.record.error(error);
    }
  }
}

function isPassed({ sealed, waiting }: Segment): boolean {
  return sealed && waiting.size === 0;
}
