import type { TypedParameters } from "../../libvirt/types.ts";

/** More devices of one kind than a guest can have. Bounds the work for a wrong count. */
const MAX_DEVICES = 4_096;

/** Returns a 64-bit counter; undefined if it is missing, has another type, or is -1, which older libvirt sends for unknown. */
export function counter(params: TypedParameters, field: string): bigint | undefined {
  const value = params.get(field);
  if (typeof value === "bigint") return value < 0n ? undefined : value;
  return typeof value === "number" && Number.isInteger(value) && value >= 0 ? BigInt(value) : undefined;
}

/** Returns a number of devices; 0 if it is missing. */
export function count(params: TypedParameters, field: string): number {
  return Math.min(Number(counter(params, field) ?? 0n), MAX_DEVICES);
}

export function text(params: TypedParameters, field: string): string | undefined {
  const value = params.get(field);
  return typeof value === "string" ? value : undefined;
}
