import { promisify } from "node:util";
import { constants, crc32, deflateRaw, deflateRawSync, gunzip } from "node:zlib";
import { combineCrc32 } from "./crc32.ts";
import type { Frame } from "./spool.ts";

/*
 * The payload of a frame is one gzip member. Its deflate blocks end at a byte boundary, and an empty last block follows them. So
 * the blocks of several frames, one after the other, are the blocks of one member, and no line is compressed twice.
 */

const deflate = promisify(deflateRaw);
const decompress = promisify(gunzip);

/** Level 6 takes twice the CPU of level 1 and saves an eighth of the bytes. */
const DEFLATE = { level: 1, finishFlush: constants.Z_SYNC_FLUSH };
/**
 * Lines of at most this size, those of a cycle of about 90 VMs, are compressed in the main thread, which takes 2 ms: to hand them
 * to another thread and back costs more than it saves.
 */
const MAIN_THREAD_BYTES = 256 * 1024;
/** Magic, deflate, no flags, no time, fastest. The operating system is 255, "unknown", which zlib never writes. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255]);
/** What zlib writes to reach a byte boundary: the end of an empty stored block. */
const BOUNDARY = Buffer.from([0x00, 0x00, 0xff, 0xff]);
/** The last block, which is empty. */
const LAST_BLOCK = Buffer.from([0x03, 0x00]);
const TRAILER_BYTES = 8;
const END_BYTES = LAST_BLOCK.length + TRAILER_BYTES;

/** The compressed lines of a frame, and their size before compression in bytes. */
export type FramePayload = Pick<Frame, "payload" | "rawBytes">;

/** Resolves to the lines as one gzip member, which `joinFrames` can join with others. */
export async function compressLines(lines: Uint8Array): Promise<Uint8Array> {
  const blocks = lines.length <= MAIN_THREAD_BYTES ? deflateRawSync(lines, DEFLATE) : await deflate(lines, DEFLATE);
  return member([blocks], crc32(lines), lines.length);
}

/** Resolves to the lines of a frame. Rejects if the payload is damaged or longer than `rawBytes` when expanded. */
export async function expandFrame({ payload, rawBytes }: FramePayload): Promise<Uint8Array> {
  return decompress(payload, { maxOutputLength: rawBytes });
}

/**
 * Resolves to the lines of the frames, at least one, as a single gzip member: of several members InfluxDB 3.0 to 3.7 reads only
 * the first, and answers 204. A frame that `compressLines` has not made, but an earlier version, is compressed again; this
 * rejects if the frame is damaged. Damage inside another frame is not noticed: the reader of the spool has checked it.
 */
export async function joinFrames(frames: readonly FramePayload[]): Promise<Uint8Array> {
  const parts = await Promise.all(frames.map(async (frame) => (isJoinable(frame) ? frame : compressAgain(frame))));
  const [first] = parts;
  if (parts.length === 1 && first !== undefined) return first.payload;
  let crc = 0;
  let length = 0;
  for (const { payload } of parts) {
    const trailer = trailerOf(payload);
    crc = combineCrc32(crc, trailer.crc, trailer.length);
    length += trailer.length;
  }
  return member(
    parts.map(({ payload }) => payload.subarray(HEADER.length, payload.length - END_BYTES)),
    crc,
    length,
  );
}

async function compressAgain(frame: FramePayload): Promise<FramePayload> {
  return { ...frame, payload: await compressLines(await expandFrame(frame)) };
}

/** Returns whether `compressLines` has made the payload, as far as its ends show. */
function isJoinable({ payload, rawBytes }: FramePayload): boolean {
  const end = payload.length - END_BYTES;
  return (
    end >= HEADER.length + BOUNDARY.length &&
    startsWith(payload, HEADER, 0) &&
    startsWith(payload, BOUNDARY, end - BOUNDARY.length) &&
    startsWith(payload, LAST_BLOCK, end) &&
    trailerOf(payload).length === rawBytes
  );
}

function startsWith(payload: Uint8Array, bytes: Uint8Array, at: number): boolean {
  return bytes.every((byte, index) => payload[at + index] === byte);
}

function trailerOf({ buffer, byteOffset, byteLength }: Uint8Array): { readonly crc: number; readonly length: number } {
  const trailer = new DataView(buffer, byteOffset + byteLength - TRAILER_BYTES, TRAILER_BYTES);
  return { crc: trailer.getUint32(0, true), length: trailer.getUint32(4, true) };
}

/** Copies into memory of its own, because zlib returns a slice that keeps a larger chunk in memory. */
function member(blocks: readonly Uint8Array[], crc: number, length: number): Uint8Array {
  const size = blocks.reduce((sum, block) => sum + block.length, HEADER.length + END_BYTES);
  const whole = new Uint8Array(size);
  let at = 0;
  for (const part of [HEADER, ...blocks, LAST_BLOCK]) {
    whole.set(part, at);
    at += part.length;
  }
  const trailer = new DataView(whole.buffer, at);
  trailer.setUint32(0, crc, true);
  trailer.setUint32(4, length, true);
  return whole;
}
