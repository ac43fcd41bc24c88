import { PARAMETER_TYPE } from "../src/libvirt/protocol.ts";
import type { TypedValue } from "../src/libvirt/types.ts";

const { INT, UINT, LLONG, ULLONG, DOUBLE, BOOLEAN } = PARAMETER_TYPE;
/** Bytes of UUID and id after the name of a domain. */
const IDENTITY_BYTES = 16 + 4;

/** Decodes a reply to the bulk call in the simplest way: new strings for every name, a plain object, no checks. */
export function decodeNaively(reply: Buffer): Record<string, TypedValue>[] {
  let at = 0;
  const uint = (): number => reply.readUInt32BE((at += 4) - 4);
  const text = (): string => {
    const length = uint();
    const start = at;
    at += length + (-length & 3);
    return reply.toString("utf8", start, start + length);
  };
  const value = (type: number): TypedValue => {
    if (type === INT) return reply.readInt32BE((at += 4) - 4);
    if (type === UINT) return uint();
    if (type === LLONG) return reply.readBigInt64BE((at += 8) - 8);
    if (type === ULLONG) return reply.readBigUInt64BE((at += 8) - 8);
    if (type === DOUBLE) return reply.readDoubleBE((at += 8) - 8);
    if (type === BOOLEAN) return uint() !== 0;
    return text();
  };
  return Array.from({ length: uint() }, () => {
    text();
    at += IDENTITY_BYTES;
    const params: Record<string, TypedValue> = {};
    for (let left = uint(); left > 0; left--) {
      const name = text();
      params[name] = value(uint());
    }
    return params;
  });
}
