import { open, rm } from "node:fs/promises";
import type { Clock } from "../lib/clock.ts";
import type { DiskRecord } from "./disk-record.ts";
import { seeLock, SpoolLock, type Holder } from "./lock.ts";
import type { DropReason } from "./losses.ts";
import { bornAtOn, recover, type Recovered } from "./recovery.ts";
import { SegmentReader } from "./segment-reader.ts";
import type { Segment } from "./segment.ts";
import { homesIn, leaveHome, type Home } from "./spool-home.ts";
import type { Frame } from "./spool.ts";

/** Every agent shows that it lives every few seconds: whose lock has not changed for so long is gone. */
const SILENCE_MS = 60_000;
/** So much is made durable at a time. */
const CHUNK_BYTES = 1 << 20;

/** A frame of another spool. */
export interface AdoptedFrame {
  readonly frame: Omit<Frame, "sequence">;
  readonly bornAtMs: number;
  /** Who still needs it. */
  readonly targets: readonly string[];
}

/** The spool that takes in what is adopted. */
export interface Adopter {
  /** Its own directory. */
  readonly directory: string | undefined;
  /** Why frames from then, which would come to so many bytes with all that is still to come, are not wanted. */
  refuses(newestBornAtMs: number, bytes: number): DropReason | undefined;
  /** Resolves to whether they are durable. */
  adopt(frames: readonly AdoptedFrame[]): Promise<boolean>;
  /** These lines of a target are given up. */
  forgo(target: string, lines: number, reason: DropReason): void;
}

export interface AdoptionOptions {
  readonly root: string;
  readonly me: Holder;
  readonly clock: Clock;
  readonly record: DiskRecord;
}

/** Takes over the directories of agents that are gone: their frames get into this agent's own, and they are deleted. */
export class Adoption {
  readonly #options: AdoptionOptions;
  readonly #adopter: Adopter;
  /** Directory -> the lock as it was seen first, and when. */
  readonly #seen = new Map<string, { readonly beatMs: number; readonly atMs: number }>();
  #running: Promise<void> | undefined;

  constructor(options: AdoptionOptions, adopter: Adopter) {
    this.#options = options;
    this.#adopter = adopter;
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
    const { root, me } = this.#options;
    for (const directory of (await homesIn(root)).homes) {
      if (directory === this.#adopter.directory || signal.aborted) continue;
      const lock = await SpoolLock.take(directory, me, await this.#silent(directory));
      if (lock === undefined) continue;
      const recovered = await recover(directory, bornAtOn(this.#options.clock));
      const done = await this.#import(recovered, { directory, lock }, signal);
      await leaveHome({ directory, lock }, done && recovered.leftAlone.length === 0);
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
    for (const { path } of recovered.passed) await rm(path, { force: true });
    let left = recovered.segments.reduce((sum, { bytes }) => sum + bytes, 0);
    let lines = 0;
    for (const segment of recovered.segments) {
      if (signal.aborted) return false;
      await lock.beat();
      const reason = this.#adopter.refuses(segment.newestBornAtMs, left);
      if (reason === undefined) {
        for await (const frames of this.#framesOf(segment, recovered.cursors)) {
          // They stay here too then, and some will be sent twice.
          if (!(await this.#adopter.adopt(frames))) return false;
          lines += frames.reduce((sum, { frame }) => sum + frame.lines, 0);
        }
      } else for (const [target, totals] of segment.waiting) this.#adopter.forgo(target, totals.lines, reason);
      await rm(segment.path, { force: true });
      left -= segment.bytes;
    }
    record.adopted(directory, lines);
    return true;
  }

  /** The frames of a segment that some target still needs, a number of them at a time. */
  async *#framesOf(
    { path, bytes }: Segment,
    cursors: ReadonlyMap<string, bigint>,
  ): AsyncGenerator<readonly AdoptedFrame[]> {
    const born = bornAtOn(this.#options.clock);
    await using file = await open(path, "r");
    const reader = new SegmentReader(file, bytes);
    let chunk: AdoptedFrame[] = [];
    let chunkBytes = 0;
    for (let found = await reader.next(); found !== undefined; found = await reader.next()) {
      if (found.kind !== "frame") continue;
      const { sequence, lines, rawBytes, createdAtMs } = found.header;
      const targets = found.header.targets.filter((target) => sequence >= (cursors.get(target) ?? 0n));
      if (targets.length === 0) continue;
      const payload = await reader.payload(found);
      if (payload === undefined) {
        this.#options.record.damaged(path, 1);
        for (const target of targets) this.#adopter.forgo(target, lines, "corrupt");
        continue;
      }
      chunk.push({ frame: { lines, rawBytes, createdAtMs, payload }, bornAtMs: born(createdAtMs), targets });
      chunkBytes += payload.length;
      if (chunkBytes < CHUNK_BYTES) continue;
      yield chunk;
      chunk = [];
      chunkBytes = 0;
    }
    if (chunk.length > 0) yield chunk;
  }
}
