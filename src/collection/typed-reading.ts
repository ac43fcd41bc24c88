import type { TypedParameters } from "../libvirt/types.ts";

/** A 64-bit counter; undefined when libvirt left it out or sent another type. */
export function counter(params: TypedParameters, field: string): bigint | undefined {
  const value = params.get(field);
  if (typeof value === "bigint") return value;
  return typeof value === "number" && Number.isInteger(value) ? BigInt(value) : undefined;
}

/** A number of things; 0 when libvirt left it out. Never more than there are parameters, whatever the field says. */
export function count(params: TypedParameters, field: string): number {
  return Math.min(Math.max(Number(counter(params, field) ?? 0n), 0), params.size);
}

export function text(params: TypedParameters, field: string): string | undefined {
  const value = params.get(field);
  return typeof value === "string" ? value : undefined;
}
