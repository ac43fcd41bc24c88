import { LibvirtError } from "./errors.ts";
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
/** Enough for the replies of one virt-launcher; a node may have hundreds of them. */
const INITIAL_BYTES = 16 * 1024;
/** A receive buffer that grew beyond this for one packet is freed afterwards. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024;

/** Returns a whole packet: length word, header and payload. */
export function encodePacket(header: PacketHeader, writePayload?: (writer: XdrWriter) => void): Buffer {
  const writer = new XdrWriter();
  writer.uint(0).uint(header.program).uint(PROGRAM_VERSION).uint(header.procedure).uint(header.type);
  writer.uint(header.serial).uint(header.status);
  writePayload?.(writer);
  writer.patchUint(0, writer.length);
  return writer.bytes();
}

/**
 * Cuts a byte stream into packets. It reuses one buffer, which grows with the bytes that arrive, never with a claimed
 * length. The payload is valid only until `onPacket` returns.
 */
export class PacketAssembler {
  readonly #onPacket: (header: PacketHeader, payload: XdrReader) => void;
  #buffer = Buffer.allocUnsafe(INITIAL_BYTES);
  #length = 0;

  constructor(onPacket: (header: PacketHeader, payload: XdrReader) => void) {
    this.#onPacket = onPacket;
  }

  /** @throws {LibvirtError} E_LIBVIRT_PROTOCOL; the stream cannot be continued afterwards */
  push(chunk: Buffer): void {
    this.#append(chunk);
    let start = 0;
    while (this.#length - start >= LENGTH_BYTES) {
      const size = this.#buffer.readUInt32BE(start);
      if (size < LIMIT.PACKET_MIN || size > LIMIT.PACKET_MAX) {
        throw new LibvirtError(
          "E_LIBVIRT_PROTOCOL",
          `a packet claims ${size} bytes, not ${LIMIT.PACKET_MIN} to ${LIMIT.PACKET_MAX}. Is this a libvirt socket?`,
        );
      }
      if (this.#length - start < size) break;
      this.#deliver(start, start + size);
      start += size;
    }
    this.#discard(start);
  }

  #deliver(start: number, end: number): void {
    const reader = new XdrReader(this.#buffer, start + LENGTH_BYTES, end);
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
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#buffer.length * 2));
      this.#buffer.copy(grown, 0, 0, this.#length);
      this.#buffer = grown;
    }
    chunk.copy(this.#buffer, this.#length);
    this.#length = needed;
  }

  #discard(bytes: number): void {
    if (bytes === 0) return;
    this.#buffer.copyWithin(0, bytes, this.#length);
    this.#length -= bytes;
    if (this.#length === 0 && this.#buffer.length > MAX_KEPT_BYTES) this.#buffer = Buffer.allocUnsafe(INITIAL_BYTES);
  }
}
