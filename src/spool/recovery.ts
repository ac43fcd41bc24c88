import { open, truncate } from "node:fs/promises";
import type { Clock } from "../lib/clock.ts";
import { FORMAT_VERSION, type FrameHeader } from "./frame-format.ts";
import { Segment } from "./segment.ts";
import { SegmentReader } from "./segment-reader.ts";
import { firstSequence, readCursors, segmentPaths } from "./spool-files.ts";

/** What a directory of segments holds. */
export interface Recovered {
  /** Those of which some target still needs something, the oldest first, sealed. */
  readonly segments: readonly Segment[];
  /** Those that nobody needs any more. */
  readonly passed: readonly Segment[];
  /** Files that are not to be touched: of a newer version, or not to be opened. */
  readonly leftAlone: readonly string[];
  /** Target -> the number of the first frame that it may still need. */
  readonly cursors: ReadonlyMap<string, bigint>;
  /** Target -> the number of the newest frame that it needs. */
  readonly newest: ReadonlyMap<string, bigint>;
  /** Greater than every number that was ever given here. */
  readonly head: bigint;
  readonly corruptFrames: number;
  /** What writes that were broken off left at the ends of segments; it has been cut off. */
  readonly truncatedBytes: number;
}

/**
 * Reads what is in a directory that nobody else writes. Only headers are read: payloads are checked when they are needed.
 * Whatever is wrong with a file costs the frames that are damaged, and no others. `bornAtMs` tells where on the monotonic
 * clock a time of the wall clock lies.
 */
export async function recover(directory: string, bornAtMs: (createdAtMs: number) => number): Promise<Recovered> {
  const recovery = new Recovery(await readCursors(directory), bornAtMs);
  for (const path of await segmentPaths(directory)) await recovery.add(path);
  return recovery;
}

/** Where on the monotonic clock a time of the wall clock lies; never in the future. */
export function bornAtOn(clock: Clock): (createdAtMs: number) => number {
  const [now, monotonic] = [clock.now(), clock.monotonic()];
  return (createdAtMs) => monotonic - Math.max(0, now - createdAtMs);
}

class Recovery implements Recovered {
  readonly segments: Segment[] = [];
  readonly passed: Segment[] = [];
  readonly leftAlone: string[] = [];
  readonly cursors: ReadonlyMap<string, bigint>;
  readonly newest = new Map<string, bigint>();
  head = 0n;
  corruptFrames = 0;
  truncatedBytes = 0;
  readonly #bornAtMs: (createdAtMs: number) => number;
  #last = -1n;

  constructor(cursors: ReadonlyMap<string, bigint>, bornAtMs: (createdAtMs: number) => number) {
    this.cursors = cursors;
    this.#bornAtMs = bornAtMs;
    for (const next of cursors.values()) this.#passes(next);
  }

  async add(path: string): Promise<void> {
    const segment = new Segment(path, firstSequence(path));
    segment.sealed = true;
    this.#passes(segment.first);
    if (await this.#scan(segment)) (segment.waiting.size > 0 ? this.segments : this.passed).push(segment);
    else this.leftAlone.push(path);
  }

  /** False for a file that this version cannot judge. */
  async #scan(segment: Segment): Promise<boolean> {
    const file = await open(segment.path, "r").catch(() => undefined);
    if (file === undefined) return false;
    try {
      const { size } = await file.stat();
      const reader = new SegmentReader(file, size);
      // A damaged preamble costs nothing: this version reads what it can.
      if (((await reader.version()) ?? FORMAT_VERSION) > FORMAT_VERSION) return false;
      for (let found = await reader.next(); found !== undefined; found = await reader.next()) {
        if (found.kind === "frame") this.#hold(segment, found.header);
        else if (found.kind === "damage") this.#damage(segment, found.offset);
        else await this.#cut(segment.path, found);
        segment.bytes = found.kind === "tail" ? found.offset : found.end;
      }
      return true;
    } catch {
      // What cannot be read is as good as damaged; what came before it is not.
      this.corruptFrames++;
      return segment.frames > 0;
    } finally {
      await file.close();
    }
  }

  #damage(segment: Segment, offset: number): void {
    // Noted, so that who reads it does not count it again.
    if (segment.notesDamage(offset)) this.corruptFrames++;
  }

  async #cut(path: string, { offset, end }: { readonly offset: number; readonly end: number }): Promise<void> {
    this.truncatedBytes += end - offset;
    await truncate(path, offset).catch(() => undefined);
  }

  #hold(segment: Segment, { sequence, lines, payloadBytes, createdAtMs, targets }: FrameHeader): void {
    // It was written again, because nobody knew what had become of the first write.
    if (sequence <= this.#last) return;
    this.#last = sequence;
    this.#passes(sequence + 1n);
    segment.hold(sequence, this.#bornAtMs(createdAtMs));
    for (const target of targets) {
      if (sequence < (this.cursors.get(target) ?? 0n)) continue;
      segment.need(target, { frames: 1, lines, bytes: payloadBytes });
      this.newest.set(target, sequence);
    }
  }

  #passes(head: bigint): void {
    if (head > this.head) this.head = head;
  }
}
