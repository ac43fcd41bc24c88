import { open, rm, type FileHandle } from "node:fs/promises";
import { encodeHeader, encodePreamble, PREAMBLE_BYTES } from "./frame-format.ts";
import type { Kept, Place } from "./kept.ts";
import { Segment } from "./segment.ts";
import { segmentPath, syncDirectory } from "./spool-files.ts";

export type OpenFile = (path: string, flags: string, mode?: number) => Promise<FileHandle>;

export interface SegmentLogOptions {
  /** A segment that has reached this is sealed. */
  readonly segmentBytes: () => number;
  /** So is one whose oldest frame was born before this. */
  readonly sealBornBefore: () => number;
  readonly openFile?: OpenFile | undefined;
}

/** The segments of one directory, the oldest first; frames are appended to the newest. Not to be used concurrently. */
export class SegmentLog {
  readonly directory: string;
  readonly #options: SegmentLogOptions;
  #segments: Segment[];
  /** Of the newest segment, while frames may be added to it. */
  #file: FileHandle | undefined;

  constructor(directory: string, segments: readonly Segment[], options: SegmentLogOptions) {
    this.directory = directory;
    this.#segments = [...segments];
    this.#options = options;
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  get bytes(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /**
   * Writes the frames and makes them durable with one sync; returns where they are. When it rejects none of them is in
   * the log: what was written of them is cut off again, and the next frames go to another file.
   */
  async append(frames: readonly Kept[]): Promise<readonly Place[]> {
    if (this.#isFull(this.#segments.at(-1))) await this.seal();
    const begun = this.#file === undefined;
    const { file, segment } = await this.#newest(frames[0]?.frame.sequence ?? 0n);
    const headers = frames.map(({ frame, readers }) =>
      encodeHeader(
        frame,
        [...readers].map(({ name }) => name),
      ),
    );
    const parts = frames.flatMap(({ frame }, index) => [headers[index] ?? Buffer.alloc(0), frame.payload]);
    const preamble = begun ? [encodePreamble()] : [];
    try {
      await writeAll(file, [...preamble, ...parts], segment.bytes);
      await file.datasync();
      if (begun) await syncDirectory(this.directory);
    } catch (error) {
      await this.#abandon(file, segment);
      throw error;
    }
    if (begun) segment.bytes = PREAMBLE_BYTES;
    return frames.map(({ frame, bornAtMs }, index) => {
      const offset = segment.bytes;
      segment.bytes += (headers[index]?.length ?? 0) + frame.payload.length;
      segment.hold(frame.sequence, bornAtMs);
      return { segment, offset };
    });
  }

  /** The next frame goes to a new segment. */
  async seal(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    const newest = this.#segments.at(-1);
    if (newest !== undefined) newest.sealed = true;
    // Everything in it is durable or was given up: nothing is lost when this fails.
    await file?.close().catch(() => undefined);
  }

  /** Deletes these segments; the first error is thrown when all have been tried. */
  async remove(gone: readonly Segment[]): Promise<void> {
    if (gone.some(({ sealed }) => !sealed)) await this.seal();
    this.#segments = this.#segments.filter((segment) => !gone.includes(segment));
    const results = await Promise.allSettled(gone.map(({ path }) => rm(path, { force: true })));
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  #isFull(segment: Segment | undefined): boolean {
    if (segment === undefined) return false;
    return segment.bytes >= this.#options.segmentBytes() || segment.oldestBornAtMs < this.#options.sealBornBefore();
  }

  async #newest(first: bigint): Promise<{ readonly file: FileHandle; readonly segment: Segment }> {
    const newest = this.#segments.at(-1);
    if (this.#file !== undefined && newest !== undefined) return { file: this.#file, segment: newest };
    const segment = new Segment(segmentPath(this.directory, first), first);
    // Not exclusively: a file of this name is what a failed attempt left, and nothing in it was ever durable.
    this.#file = await (this.#options.openFile ?? open)(segment.path, "w", 0o600);
    this.#segments.push(segment);
    return { file: this.#file, segment };
  }

  /** After a failed write or sync nobody knows what is in the pages of the file: it gets no more frames. */
  async #abandon(file: FileHandle, segment: Segment): Promise<void> {
    await file.truncate(segment.bytes).catch(() => undefined);
    await this.seal();
    if (segment.bytes === 0) await this.remove([segment]).catch(() => undefined);
  }
}

/** A write may take less than it is given, on a disk that is almost full for instance. */
async function writeAll(file: FileHandle, buffers: readonly Uint8Array[], position: number): Promise<void> {
  let left = [...buffers];
  let offset = position;
  while (left.length > 0) {
    const { bytesWritten } = await file.writev(left, offset);
    if (bytesWritten === 0) throw Object.assign(new Error("the disk takes nothing"), { code: "ENOSPC" });
    offset += bytesWritten;
    left = behind(left, bytesWritten);
  }
}

/** The buffers without their first bytes. */
function behind(buffers: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skip = bytes;
  return buffers.flatMap((buffer) => {
    const skipped = Math.min(skip, buffer.length);
    skip -= skipped;
    return skipped < buffer.length ? [buffer.subarray(skipped)] : [];
  });
}
