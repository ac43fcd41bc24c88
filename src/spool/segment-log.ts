import { open, rm, type FileHandle } from "node:fs/promises";
import type { BufferedFrame, FrameLocation } from "./buffered-frame.ts";
import { encodeHeader, encodePreamble, PREAMBLE_BYTES } from "./frame-format.ts";
import { Segment } from "./segment.ts";
import { segmentPath, syncDirectory } from "./writer-dir.ts";

export type OpenFile = (path: string, flags: string, mode?: number) => Promise<FileHandle>;

export interface SegmentLogOptions {
  /** A segment of this size is sealed. */
  readonly segmentBytes: () => number;
  /** A segment whose oldest frame was appended before this is sealed; on the monotonic clock. */
  readonly sealBeforeMs: () => number;
  readonly openFile?: OpenFile | undefined;
}

/** The segments of one directory, oldest first. Frames are appended to the newest. Its methods must not run concurrently. */
export class SegmentLog {
  readonly #directory: string;
  readonly #options: SegmentLogOptions;
  #segments: Segment[];
  /** The newest segment's file, until it is sealed. */
  #file: FileHandle | undefined;

  constructor(directory: string, segments: readonly Segment[], options: SegmentLogOptions) {
    this.#directory = directory;
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
   * Writes frames, makes them durable with one sync, and resolves to their locations. If it rejects, none of the frames is in
   * the log: the written part is cut off, and the next frames go to a new file.
   */
  async append(frames: readonly BufferedFrame[]): Promise<readonly FrameLocation[]> {
    if (this.#isFull(this.#segments.at(-1))) await this.seal();
    const isNew = this.#file === undefined;
    const { file, segment } = await this.#openSegment(frames[0]?.frame.sequence ?? 0n);
    const headers = frames.map(({ frame, consumers }) =>
      encodeHeader(
        frame,
        [...consumers].map(({ name }) => name),
      ),
    );
    const parts = frames.flatMap(({ frame }, index) => [headers[index] ?? Buffer.alloc(0), frame.payload]);
    const preamble = isNew ? [encodePreamble()] : [];
    try {
      await writeAll(file, [...preamble, ...parts], segment.bytes);
      await file.datasync();
      if (isNew) await syncDirectory(this.#directory);
    } catch (error) {
      await this.#abandon(file, segment);
      throw error;
    }
    if (isNew) segment.bytes = PREAMBLE_BYTES;
    return frames.map(({ frame, monotonicMs }, index) => {
      const offset = segment.bytes;
      segment.bytes += (headers[index]?.length ?? 0) + frame.payload.length;
      segment.addFrame(frame.sequence, monotonicMs);
      return { segment, offset };
    });
  }

  /** Closes the newest segment: the next frame goes to a new one. */
  async seal(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    const newest = this.#segments.at(-1);
    if (newest !== undefined) newest.sealed = true;
    // A failure loses nothing: every frame in the file is durable or was abandoned.
    await file?.close().catch(() => undefined);
  }

  /** Deletes segments. Tries all of them before it rejects with the first error. */
  async remove(removed: readonly Segment[]): Promise<void> {
    if (removed.some(({ sealed }) => !sealed)) await this.seal();
    const gone = new Set(removed);
    this.#segments = this.#segments.filter((segment) => !gone.has(segment));
    const results = await Promise.allSettled(removed.map(({ path }) => rm(path, { force: true })));
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  #isFull(segment: Segment | undefined): boolean {
    if (segment === undefined) return false;
    return segment.bytes >= this.#options.segmentBytes() || segment.oldestMonotonicMs < this.#options.sealBeforeMs();
  }

  /** Resolves to the newest segment, or to a new one that begins with the sequence number `first` if it is sealed. */
  async #openSegment(first: bigint): Promise<{ readonly file: FileHandle; readonly segment: Segment }> {
    const newest = this.#segments.at(-1);
    if (this.#file !== undefined && newest !== undefined) return { file: this.#file, segment: newest };
    const segment = new Segment(segmentPath(this.#directory, first), first);
    // The file may exist after a failed attempt; none of its content was durable, so it is overwritten.
    this.#file = await (this.#options.openFile ?? open)(segment.path, "w", 0o600);
    this.#segments.push(segment);
    return { file: this.#file, segment };
  }

  /** Closes a file after a failed write or sync: the state of its pages is unknown, so it gets no more frames. */
  async #abandon(file: FileHandle, segment: Segment): Promise<void> {
    await file.truncate(segment.bytes).catch(() => undefined);
    await this.seal();
    if (segment.bytes === 0) await this.remove([segment]).catch(() => undefined);
  }
}

/** Writes all buffers. A single write may accept only a part, for example on a disk that is almost full. */
async function writeAll(file: FileHandle, buffers: readonly Uint8Array[], position: number): Promise<void> {
  let left = [...buffers];
  let offset = position;
  while (left.length > 0) {
    const { bytesWritten } = await file.writev(left, offset);
    if (bytesWritten === 0) throw Object.assign(new Error("the disk accepts no bytes"), { code: "ENOSPC" });
    offset += bytesWritten;
    left = withoutStart(left, bytesWritten);
  }
}

/** Returns the buffers without their first `bytes` bytes. */
function withoutStart(buffers: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skip = bytes;
  return buffers.flatMap((buffer) => {
    const skipped = Math.min(skip, buffer.length);
    skip -= skipped;
    return skipped < buffer.length ? [buffer.subarray(skipped)] : [];
  });
}
