import { LibvirtError } from "./errors.ts";
import { LIMIT, UUID_BYTES } from "./protocol.ts";
import type { DomainRef } from "./types.ts";
import type { XdrReader, XdrWriter } from "./xdr.ts";

/** Smallest size of a domain on the wire: an empty name, the UUID, the id. */
export const DOMAIN_MIN_BYTES = 4 + UUID_BYTES + 4;

export function readDomain(reader: XdrReader): DomainRef {
  const name = reader.string(LIMIT.STRING);
  const at = reader.skip(UUID_BYTES);
  return { name, uuid: formatUuid(reader.buffer, at), id: reader.int() };
}

export function writeDomain(writer: XdrWriter, { name, uuid, id }: DomainRef): void {
  writer
    .string(name)
    .fixedOpaque(Buffer.from(uuid.replaceAll("-", ""), "hex"))
    .int(id);
}

function formatUuid(buffer: Buffer, at: number): string {
  const hex = buffer.toString("hex", at, at + UUID_BYTES);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** Most bytes of an error text of a daemon that are kept, because it is written to log lines. */
const MAX_MESSAGE_BYTES = 1_000;
/** Characters that end a log line, control a terminal or change the direction of text. */
const CONTROL = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/** Returns the error of an error reply (remote_error). The fields after the message are not read. */
export function readRemoteError(reader: XdrReader, procedure: string): LibvirtError {
  const libvirtCode = reader.int();
  reader.int(); // the part of libvirt that reports it
  const message = reader.optional(() => readMessage(reader)) ?? `error ${libvirtCode} without a text`;
  return new LibvirtError("E_LIBVIRT_REMOTE", `libvirt rejected ${procedure}: ${message}`, { libvirtCode });
}

/** Returns a text for people: cut before it is decoded, so that nothing keeps the rest, and without control characters. */
function readMessage(reader: XdrReader): string {
  const { start, end } = reader.span(LIMIT.STRING);
  const isCut = end - start > MAX_MESSAGE_BYTES;
  const text = reader.buffer.toString("utf8", start, isCut ? start + MAX_MESSAGE_BYTES : end).replace(CONTROL, "?");
  // The cut may be within a character.
  return isCut ? `${text.replace(/\ufffd+$/, "")}...` : text;
}

/** VIR_ERR_ERROR. */
const LEVEL_ERROR = 2;

export function writeRemoteError(writer: XdrWriter, libvirtCode: number, message: string): void {
  writer.int(libvirtCode).int(0).bool(true).string(message).int(LEVEL_ERROR);
  // No domain, three absent strings, two integers, no network.
  writer.bool(false).bool(false).bool(false).bool(false).int(0).int(0).bool(false);
}
