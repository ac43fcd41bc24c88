import { truncate } from "node:fs/promises";
import type { Clock } from "../lib/clock.ts";
import { FORMAT_VERSION, type FrameHeader } from "./frame-format.ts";
import { FrameTime } from "./frame-time.ts";
import { MAX_SCAN_BYTES, SegmentReader } from "./segment-reader.ts";
import { Segment } from "./segment.ts";
import { openRegularFile } from "./small-file.ts";
import { firstSequence, MAX_SEGMENTS, readCursors, segmentPaths } from "./writer-dir.ts";

/** One recovery searches about this number of damaged bytes for frames: a few seconds of work. */
const MAX_DAMAGED_BYTES = 512 << 20;

/** What a writer directory contains. */
export interface Recovered {
  /** Segments that some target still needs, oldest first, sealed. */
  readonly segments: readonly Segment[];
  /** Segments that no target needs. */
  readonly consumed: readonly Segment[];
  /** Files that must stay untouched: of a newer version, or impossible to open. */
  readonly unsupportedFiles: readonly string[];
  /** Target -> the sequence number of the first frame that it may still need. */
  readonly cursors: ReadonlyMap<string, bigint>;
  /** Target -> the sequence number of the newest frame that it needs. */
  readonly newest: ReadonlyMap<string, bigint>;
  /** Greater than every sequence number that was used in this directory. */
  readonly nextSequence: bigint;
  readonly corruptFrames: number;
  /** Bytes of an interrupted write, which were cut off the end of the newest segment. */
  readonly truncatedBytes: number;
  /** False if the directory may have more segments. Then most of them are foreign or damaged. */
  readonly complete: boolean;
}

/**
 * Resolves to what a directory contains. No other process may write to it. Only headers are read: payloads are checked when they
 * are needed. Damage costs only the damaged frames. Memory and time are bounded: of a directory with too many files or too much
 * damage, one call reads the oldest segments. FrameTime says how old a frame is. `scanned` is called after each file.
 */
export async function recover(
  directory: string,
  clock: Pick<Clock, "now" | "monotonic">,
  scanned: () => void = () => undefined,
): Promise<Recovered> {
  const recovery = new Recovery(await readCursors(directory));
  const paths = await segmentPaths(directory, MAX_SEGMENTS);
  const newest = paths.length < MAX_SEGMENTS ? paths.at(-1) : undefined;
  for (const path of paths) {
    await recovery.scan(path, path === newest);
    scanned();
    if (recovery.damagedBytes < MAX_DAMAGED_BYTES || path === paths.at(-1)) continue;
    recovery.complete = false;
    break;
  }
  if (paths.length >= MAX_SEGMENTS) recovery.complete = false;
  recovery.endAt(clock);
  return recovery;
}

class Recovery implements Recovered {
  readonly segments: Segment[] = [];
  readonly consumed: Segment[] = [];
  readonly unsupportedFiles: string[] = [];
  readonly cursors: ReadonlyMap<string, bigint>;
  readonly newest = new Map<string, bigint>();
  nextSequence = 0n;
  corruptFrames = 0;
  truncatedBytes = 0;
  /** Bytes that were searched for frames. */
  damagedBytes = 0;
  complete = true;
  readonly #time = new FrameTime();
  /** The last sequence number that was read. */
  #last = -1n;

  constructor(cursors: ReadonlyMap<string, bigint>) {
    this.cursors = cursors;
    for (const next of cursors.values()) this.#raiseNextSequence(next);
  }

  /** Reads a segment file. The files must be read in order. */
  async scan(path: string, isNewest: boolean): Promise<void> {
    const first = firstSequence(path);
    this.#raiseNextSequence(first);
    const segment = new Segment(path, first > this.#last ? first : this.#last + 1n);
    segment.sealed = true;
    if (await this.#readInto(segment, isNewest))
      (segment.pending.size > 0 ? this.segments : this.consumed).push(segment);
    else this.unsupportedFiles.push(path);
  }

  /** Converts the times of all frames to the monotonic clock. */
  endAt(clock: Pick<Clock, "now" | "monotonic">): void {
    const shiftMs = clock.monotonic() - this.#time.next(clock.now());
    for (const segment of [...this.segments, ...this.consumed]) segment.shiftTimes(shiftMs);
  }

  /** Resolves to false if this version cannot read the file. */
  async #readInto(segment: Segment, isNewest: boolean): Promise<boolean> {
    const file = await openRegularFile(segment.path).catch(() => undefined);
    if (file === undefined) return false;
    try {
      const { size } = await file.stat();
      const reader = new SegmentReader(file, size);
      // With a damaged preamble the version is unknown, and the frames are read all the same.
      if (((await reader.version()) ?? FORMAT_VERSION) > FORMAT_VERSION) return false;
      for (let found = await reader.next(); found !== undefined; found = await reader.next()) {
        if (found.kind !== "frame") this.damagedBytes += Math.min(found.end - found.offset, MAX_SCAN_BYTES);
        // The end of the agent can only have interrupted a write to the newest file.
        const isInterrupted = found.kind === "tail" && isNewest;
        if (found.kind === "frame") this.#addFrame(segment, found.header);
        else if (isInterrupted) await this.#truncate(segment.path, found);
        else this.#addDamage(segment, found.offset);
        segment.bytes = isInterrupted ? found.offset : found.end;
      }
      return true;
    } catch {
      // The rest of the file cannot be read; the frames before it can.
      this.corruptFrames++;
      return segment.frames > 0;
    } finally {
      await file.close();
    }
  }

  #addDamage(segment: Segment, offset: number): void {
    // The segment remembers it, so that a cursor that reads it later does not count it again.
    if (segment.addDamage(offset)) this.corruptFrames++;
  }

  async #truncate(path: string, { offset, end }: { readonly offset: number; readonly end: number }): Promise<void> {
    this.truncatedBytes += end - offset;
    await truncate(path, offset).catch(() => undefined);
  }

  #addFrame(segment: Segment, { sequence, lines, payloadBytes, createdAtMs, targets }: FrameHeader): void {
    // Written twice: the result of the first write was unknown, so the frame was written again to the next segment. Readers skip
    // the same frames.
    if (sequence <= this.#last) return;
    this.#last = sequence;
    this.#raiseNextSequence(sequence + 1n);
    segment.addFrame(sequence, this.#time.next(createdAtMs));
    for (const target of targets) {
      if (sequence < (this.cursors.get(target) ?? 0n)) continue;
      segment.addPending(target, { frames: 1, lines, bytes: payloadBytes });
      this.newest.set(target, sequence);
    }
  }

  #raiseNextSequence(atLeast: bigint): void {
    if (atLeast > this.nextSequence) this.nextSequence = atLeast;
  }
}
