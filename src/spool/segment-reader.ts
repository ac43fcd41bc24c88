import { open, type FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import {
  decodeHeader,
  HEADER_BYTES,
  headerLength,
  MAGIC,
  PREAMBLE_BYTES,
  preambleVersion,
  type FrameHeader,
} from "./frame-format.ts";
import type { ReadBatch } from "./read-batch.ts";
import type { Frame } from "./spool.ts";
import { errorCode } from "../lib/error-code.ts";

/** Enough for many small frames, and little to read for the header of a large frame. */
const WINDOW_BYTES = 16 * 1024;
/** Read behind a payload, so that the header of the next frame needs no read of its own. */
const LOOK_AHEAD_BYTES = 512;
/** A damaged range of this size has no frames behind it: a segment is far shorter. The rest of the file is not searched. */
export const MAX_SCAN_BYTES = 64 << 20;
/** Errors of a file or its disk that a retry does not solve. Others, such as EMFILE, are errors of this process. */
const UNREADABLE = new Set(["EIO", "ESTALE", "EUCLEAN", "ENODATA"]);

/** A range of bytes in a segment file: from `offset` up to, but not including, `end`. */
export type SegmentItem = SegmentFrame | SegmentDamage;

export interface SegmentFrame {
  readonly kind: "frame";
  readonly offset: number;
  readonly end: number;
  readonly header: FrameHeader;
}

/** Bytes that are not a frame. A `tail` is at the end of the file: in the newest segment an interrupted write. */
interface SegmentDamage {
  readonly kind: "damage" | "tail";
  readonly offset: number;
  readonly end: number;
}

/** The durable part of a segment file from an offset on. */
export interface SegmentRange {
  readonly path: string;
  readonly offset: number;
  /** Durable length of the file. */
  readonly size: number;
}

/** Which frames to read: those for a target, from a sequence number on and before another, each once. */
export interface WantedFrames {
  readonly target: string;
  readonly from: bigint;
  readonly before: bigint | undefined;
}

/**
 * Reads the wanted frames of a segment into a batch, as long as they fit. Damage is skipped and returned by its offset; a file
 * that cannot be read counts as damage at -1. `complete`: there are no more wanted frames in the segment. `gone`: the file does not
 * exist any more.
 */
export async function readFrames(
  { path, offset, size }: SegmentRange,
  { target, from, before }: WantedFrames,
  batch: ReadBatch,
): Promise<{
  readonly frames: readonly { readonly frame: Frame; readonly end: number }[];
  readonly damage: readonly number[];
  readonly complete: boolean;
  readonly gone: boolean;
}> {
  const frames: { readonly frame: Frame; readonly end: number }[] = [];
  const damage: number[] = [];
  let last = from - 1n;
  try {
    await using file = await open(path, "r");
    const reader = new SegmentReader(file, size, offset);
    for (let item = await reader.next(); item !== undefined; item = await reader.next()) {
      if (item.kind !== "frame") {
        damage.push(item.offset);
        continue;
      }
      const { sequence, lines, rawBytes, createdAtMs, targets } = item.header;
      if (before !== undefined && sequence >= before) break;
      if (sequence <= last) continue;
      last = sequence;
      if (!targets.includes(target)) continue;
      if (!batch.fits(item.header)) return { frames, damage, complete: false, gone: false };
      const payload = await reader.payload(item);
      if (payload === undefined) {
        damage.push(item.offset);
        continue;
      }
      const frame = { sequence, lines, rawBytes, createdAtMs, payload };
      batch.add(frame);
      frames.push({ frame, end: item.end });
    }
  } catch (error) {
    const code = errorCode(error) ?? "";
    if (code === "ENOENT") return { frames, damage, complete: true, gone: true };
    if (!UNREADABLE.has(code)) throw error;
    damage.push(-1);
  }
  return { frames, damage, complete: true, gone: false };
}

/** Reads a segment file item by item, with at most one frame of it in memory. */
export class SegmentReader {
  readonly #file: FileHandle;
  /** Reads only up to here. The file may be longer by now. */
  readonly #size: number;
  #offset: number;
  #window: Buffer = Buffer.alloc(0);
  #windowOffset = 0;

  constructor(file: FileHandle, size: number, offset = PREAMBLE_BYTES) {
    this.#file = file;
    this.#size = size;
    this.#offset = Math.max(offset, PREAMBLE_BYTES);
  }

  /** Resolves to the version of the format; undefined if the preamble is damaged. */
  async version(): Promise<number | undefined> {
    return preambleVersion(await this.#bytes(0, PREAMBLE_BYTES));
  }

  /** Resolves to the next frame or damaged range; undefined at the end. Checks only the headers of frames. */
  async next(): Promise<SegmentItem | undefined> {
    const offset = this.#offset;
    if (offset >= this.#size) return undefined;
    const header = await this.#header(offset);
    const frameEnd = header === undefined ? undefined : offset + header.bytes;
    if (header !== undefined && frameEnd !== undefined && frameEnd <= this.#size) {
      this.#offset = frameEnd;
      return { kind: "frame", offset, end: frameEnd, header };
    }
    const next = await this.#resynchronize(offset + 1);
    this.#offset = next ?? this.#size;
    return { kind: next === undefined ? "tail" : "damage", offset, end: this.#offset };
  }

  /** Resolves to a frame's payload; undefined if it is damaged. */
  async payload({ end, header }: SegmentFrame): Promise<Uint8Array | undefined> {
    const offset = end - header.payloadBytes;
    const bytes = await this.#bytes(offset, header.payloadBytes, LOOK_AHEAD_BYTES);
    if (bytes.length !== header.payloadBytes || crc32(bytes) !== header.payloadCrc) return undefined;
    // A large payload fills its window. A copy of it would be garbage for each frame of a drain.
    return bytes.length < WINDOW_BYTES ? new Uint8Array(bytes) : bytes;
  }

  async #header(offset: number): Promise<FrameHeader | undefined> {
    const length = headerLength(await this.#bytes(offset, HEADER_BYTES));
    if (length === undefined) return undefined;
    const bytes = await this.#bytes(offset, length);
    return bytes.length < length ? undefined : decodeHeader(bytes);
  }

  /** Resolves to the offset of the next intact header. */
  async #resynchronize(from: number): Promise<number | undefined> {
    for (let offset = from; offset + HEADER_BYTES <= Math.min(this.#size, from + MAX_SCAN_BYTES);) {
      const bytes = await this.#bytes(offset, WINDOW_BYTES);
      // The file has become shorter.
      if (bytes.length < HEADER_BYTES) return undefined;
      const at = bytes.indexOf(MAGIC);
      if (at >= 0 && (await this.#header(offset + at)) !== undefined) return offset + at;
      // The magic may begin in these bytes and end in the next ones.
      offset += at >= 0 ? at + 1 : bytes.length - MAGIC.length + 1;
    }
    return undefined;
  }

  /**
   * Resolves to `length` bytes from `offset` on, fewer at the end of the file. If they have to be read, so are `ahead` bytes behind
   * them.
   */
  async #bytes(offset: number, length: number, ahead = 0): Promise<Buffer> {
    const end = Math.min(offset + length, this.#size);
    if (offset < this.#windowOffset || end > this.#windowOffset + this.#window.length) {
      this.#window = await this.#read(offset, Math.min(Math.max(length + ahead, WINDOW_BYTES), this.#size - offset));
      this.#windowOffset = offset;
    }
    return this.#window.subarray(offset - this.#windowOffset, Math.max(offset, end) - this.#windowOffset);
  }

  async #read(offset: number, length: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length) {
      const { bytesRead } = await this.#file.read(buffer, filled, length - filled, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  }
}
