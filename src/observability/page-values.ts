import { formatBytes } from "../lib/quantity.ts";

/** What a page shows instead of a value that is not known. */
export const UNKNOWN = "–";

/** Returns a whole number with a comma after each thousand. */
export function number(value: number): string {
  // The first call of toLocaleString in a process takes 17 ms.
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

export function percent(value: number | undefined): string {
  return value === undefined ? UNKNOWN : `${value.toFixed(1)} %`;
}

/** `microseconds` are shown as milliseconds. */
export function latency(microseconds: number | undefined): string {
  return microseconds === undefined ? UNKNOWN : `${(microseconds / 1000).toFixed(2)} ms`;
}

/** `bytes` are per second. */
export function byteRate(bytes: number | undefined): string {
  return bytes === undefined ? UNKNOWN : `${formatBytes(bytes)}/s`;
}

/** `perSecond` may be of requests, packets or other things that are counted. */
export function rate(perSecond: number | undefined): string {
  return perSecond === undefined ? UNKNOWN : perSecond.toFixed(perSecond < 10 ? 1 : 0);
}

export function kib(value: bigint | undefined): string {
  return value === undefined ? UNKNOWN : formatBytes(Number(value) * 1024);
}
