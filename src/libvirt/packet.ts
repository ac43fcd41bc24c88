import { LibvirtError, overLimit } from "./errors.ts";
import { LIMIT, PROGRAM_VERSION } from "./protocol.ts";
import { XdrReader, XdrWriter } from "./xdr.ts";

/** The header of a packet: five of its six words; the program version is always 1. */
export interface PacketHeader {
  readonly program: number;
  readonly procedure: number;
  readonly type: number;
  readonly serial: number;
  readonly status: number;
}

const LENGTH_BYTES = 4;
/** First size of the buffer for an incomplete packet. */
const INITIAL_BYTES = 16 * 1024;
/** A larger buffer is freed after its packet, unless it has to be freed anyway. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024;
const NOTHING = Buffer.alloc(0);

/** Returns a whole packet: length word, header and payload. */
export function encodePacket(header: PacketHeader, writePayload?: (writer: XdrWriter) => void): Buffer {
  const writer = new XdrWriter();
  writer.uint(0).uint(header.program).uint(PROGRAM_VERSION).uint(header.procedure).uint(header.type);
  writer.uint(header.serial).uint(header.status);
  writePayload?.(writer);
  writer.patchUint(0, writer.length);
  return writer.bytes();
}

interface AssemblerOptions {
  /** Most bytes of a packet. Without it the limit is the protocol's. */
  readonly packetBytes?: number;
  /** Is called before the buffer for an incomplete packet changes its size. With it, no buffer is kept without need. */
  readonly onResize?: (bytes: number) => void;
}

/**
 * Cuts a byte stream into packets. Only an incomplete packet is copied, to a buffer that grows with the bytes that arrive,
 * never with a claimed length. The payload is valid only until `onPacket` returns.
 */
export class PacketAssembler {
  readonly #onPacket: (header: PacketHeader, payload: XdrReader) => void;
  readonly #packetBytes: number;
  readonly #onResize: ((bytes: number) => void) | undefined;
  #buffer = NOTHING;
  #length = 0;

  constructor(
    onPacket: (header: PacketHeader, payload: XdrReader) => void,
    { packetBytes = LIMIT.PACKET_MAX, onResize }: AssemblerOptions = {},
  ) {
    this.#onPacket = onPacket;
    this.#packetBytes = packetBytes;
    this.#onResize = onResize;
  }

  /**
   * Returns whether the chunk completes a packet.
   * @throws {LibvirtError} E_LIBVIRT_PROTOCOL or E_LIBVIRT_LIMIT; the stream cannot be continued afterwards
   */
  push(chunk: Buffer): boolean {
    const isFirst = this.#length === 0;
    if (!isFirst) this.#append(chunk);
    const bytes = isFirst ? chunk : this.#buffer.subarray(0, this.#length);
    let start = 0;
    while (bytes.length - start >= LENGTH_BYTES) {
      const size = bytes.readUInt32BE(start);
      this.#checkSize(size);
      if (bytes.length - start < size) break;
      this.#deliver(bytes, start, start + size);
      start += size;
    }
    if (isFirst) this.#append(chunk.subarray(start));
    else this.#discard(start);
    return start > 0;
  }

  #checkSize(size: number): void {
    if (size < LIMIT.PACKET_MIN || (size > this.#packetBytes && this.#packetBytes === LIMIT.PACKET_MAX)) {
      throw new LibvirtError(
        "E_LIBVIRT_PROTOCOL",
        `a packet claims ${size} bytes, not ${LIMIT.PACKET_MIN} to ${LIMIT.PACKET_MAX}. Is this a libvirt socket?`,
      );
    }
    if (size > this.#packetBytes)
      throw overLimit("PacketBytes", `libvirt sends a packet of more than ${this.#packetBytes} bytes`);
  }

  #deliver(bytes: Buffer, start: number, end: number): void {
    const reader = new XdrReader(bytes, start + LENGTH_BYTES, end);
    const program = reader.uint();
    const version = reader.uint();
    if (version !== PROGRAM_VERSION) throw reader.fault(`the program version is ${version}, not ${PROGRAM_VERSION}`);
    const header = {
      program,
      procedure: reader.uint(),
      type: reader.uint(),
      serial: reader.uint(),
      status: reader.uint(),
    };
    this.#onPacket(header, reader);
  }

  #append(chunk: Buffer): void {
    const needed = this.#length + chunk.length;
    if (needed > this.#buffer.length) {
      const size = Math.max(needed, this.#buffer.length * 2, INITIAL_BYTES);
      this.#onResize?.(size);
      const grown = Buffer.allocUnsafe(size);
      this.#buffer.copy(grown, 0, 0, this.#length);
      this.#buffer = grown;
    }
    chunk.copy(this.#buffer, this.#length);
    this.#length = needed;
  }

  #discard(bytes: number): void {
    this.#buffer.copyWithin(0, bytes, this.#length);
    this.#length -= bytes;
    if (this.#length > 0 || (this.#onResize === undefined && this.#buffer.length <= MAX_KEPT_BYTES)) return;
    this.#onResize?.(0);
    this.#buffer = NOTHING;
  }
}
