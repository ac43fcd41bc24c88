import { readdirSync } from "node:fs";
import type { Histogram } from "../lib/histogram.ts";

/** This process, as the system sees it. */
export interface ProcessView {
  readonly version: string;
  readonly nodeVersion: string;
  /** Milliseconds since the epoch. */
  readonly startedMs: number;
  readonly cpuSeconds: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
  /** Memory of buffers and native objects. */
  readonly externalBytes: number;
  /** Undefined where the system does not tell. */
  readonly openFiles: number | undefined;
  /** In seconds. */
  readonly eventLoopLag: Histogram;
}

export function processView(version: string, eventLoopLag: Histogram): ProcessView {
  const { user, system } = process.cpuUsage();
  const { rss, heapUsed, external } = process.memoryUsage();
  return {
    version,
    nodeVersion: process.versions.node,
    startedMs: performance.timeOrigin,
    cpuSeconds: (user + system) / 1e6,
    residentBytes: rss,
    heapBytes: heapUsed,
    externalBytes: external,
    openFiles: openFiles(),
    eventLoopLag,
  };
}

function openFiles(): number | undefined {
  try {
    // Without the one by which this is read.
    return readdirSync("/proc/self/fd").length - 1;
  } catch {
    return undefined;
  }
}
