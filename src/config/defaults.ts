import type { Family } from "../contract.ts";

/** Defaults of a TelemetryConfig that commands without a configuration use too. */

export const DEFAULT_CONCURRENT_ENDPOINTS = 16;
export const DEFAULT_DEVICE_CACHE_MS = 300_000;

/** Families that cost more than others, or change rarely. */
export const DEFAULT_SCHEDULES: readonly { readonly families: readonly Family[]; readonly interval: string }[] = [
  { families: ["Vcpus"], interval: "30s" },
  { families: ["Info"], interval: "5m" },
];

/** Longer than a healthy libvirt daemon needs. */
const MAX_TIMEOUT_MS = 8_000;

/** Returns the time limit for one cycle of one libvirt daemon, in milliseconds. */
export function defaultTimeoutMs(intervalMs: number): number {
  return Math.min(intervalMs * 0.8, MAX_TIMEOUT_MS);
}
