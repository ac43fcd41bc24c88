import type { FileHandle } from "node:fs/promises";
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

/** Holds many small frames, and is small beside a large one whose payload is not wanted. */
const WINDOW_BYTES = 16 * 1024;

/** Something in a segment file, from the byte at `offset` up to, but without, that at `end`. */
export type Found = FoundFrame | FoundDamage;

export interface FoundFrame {
  readonly kind: "frame";
  readonly offset: number;
  readonly end: number;
  readonly header: FrameHeader;
}

/** Bytes that are no frame. With `tail` nothing comes after them: a write that was broken off, as a rule. */
interface FoundDamage {
  readonly kind: "damage" | "tail";
  readonly offset: number;
  readonly end: number;
}

/** Reads the frames of a segment file one by one, without holding more of it in memory than one of them. */
export class SegmentReader {
  readonly #file: FileHandle;
  /** What is read of the file, which may be longer by now. */
  readonly #size: number;
  #offset: number;
  #window: Buffer = Buffer.alloc(0);
  #windowOffset = 0;

  constructor(file: FileHandle, size: number, offset = PREAMBLE_BYTES) {
    this.#file = file;
    this.#size = size;
    this.#offset = Math.max(offset, PREAMBLE_BYTES);
  }

  /** The version of the format; undefined when the preamble is damaged. */
  async version(): Promise<number | undefined> {
    return preambleVersion(await this.#bytes(0, PREAMBLE_BYTES));
  }

  /** The next frame, the next damaged part, or undefined at the end. Only the headers of frames are checked. */
  async next(): Promise<Found | undefined> {
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

  /** The payload of a frame, in memory of its own; undefined when it is damaged. */
  async payload({ end, header }: FoundFrame): Promise<Uint8Array | undefined> {
    const offset = end - header.payloadBytes;
    const payload = new Uint8Array(await this.#bytes(offset, header.payloadBytes));
    return payload.length === header.payloadBytes && crc32(payload) === header.payloadCrc ? payload : undefined;
  }

  async #header(offset: number): Promise<FrameHeader | undefined> {
    const length = headerLength(await this.#bytes(offset, HEADER_BYTES));
    if (length === undefined) return undefined;
    const bytes = await this.#bytes(offset, length);
    return bytes.length < length ? undefined : decodeHeader(bytes);
  }

  /** Where the next intact header is. */
  async #resynchronize(from: number): Promise<number | undefined> {
    for (let offset = from; offset + HEADER_BYTES <= this.#size;) {
      const bytes = await this.#bytes(offset, WINDOW_BYTES);
      // The file is shorter than it was.
      if (bytes.length < HEADER_BYTES) return undefined;
      const at = bytes.indexOf(MAGIC);
      if (at >= 0 && (await this.#header(offset + at)) !== undefined) return offset + at;
      // The magic may lie across the end of what was read.
      offset += at >= 0 ? at + 1 : bytes.length - MAGIC.length + 1;
    }
    return undefined;
  }

  /** So many bytes from here on, or those up to the end. Valid until the next call. */
  async #bytes(offset: number, length: number): Promise<Buffer> {
    const end = Math.min(offset + length, this.#size);
    if (offset < this.#windowOffset || end > this.#windowOffset + this.#window.length) {
      this.#window = await this.#read(offset, Math.min(Math.max(end - offset, WINDOW_BYTES), this.#size - offset));
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
