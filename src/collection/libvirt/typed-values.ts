import type { TypedParameters } from "../../libvirt/types.ts";

/** More devices of one kind than a guest can have, so that a senseless count does not keep the agent busy. */
const MAX_DEVICES = 4_096;

/** A 64-bit counter; undefined when libvirt left it out, sent another type, or -1, its old word for unknown. */
export function counter(params: TypedParameters, field: string): bigint | undefined {
  const value = params.get(field);
  if (typeof value === "bigint") return value < 0n ? undefined : value;
  return typeof value === "number" && Number.isInteger(value) && value >= 0 ? BigInt(value) : undefined;
}

/** A number of devices; 0 when libvirt left it out. */
export function count(params: TypedParameters, field: string): number {
  return Math.min(Number(counter(params, field) ?? 0n), MAX_DEVICES);
}

export function text(params: TypedParameters, field: string): string | undefined {
  const value = params.get(field);
  return typeof value === "string" ? value : undefined;
}
