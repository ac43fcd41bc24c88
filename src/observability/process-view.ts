import { readdirSync } from "node:fs";
import type { Clock } from "../lib/clock.ts";
import { Histogram } from "../lib/histogram.ts";
import type { Metric, MetricGroup } from "./metric.ts";

/** A snapshot of this process, as the system reports it. */
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
  /** Undefined on a system without /proc. */
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
    // Without the descriptor that this call itself opens.
    return readdirSync("/proc/self/fd").length - 1;
  } catch {
    return undefined;
  }
}

/**
 * Measures how late timers are, in seconds: the time during which other work blocked the event loop. It measures the timers that
 * the process has anyway. A timer of its own would wake the process, which costs most of the CPU of an idle agent.
 */
export class EventLoopLag {
  readonly histogram = new Histogram([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5]);
  /** When the last sleep that was measured ended, on the monotonic clock. */
  #measuredMs = Number.NEGATIVE_INFINITY;

  /**
   * Returns a clock with the same time that measures each sleep, except those that end early. Of the sleeps that one pause makes late,
   * only the first to end counts.
   */
  measured(clock: Clock): Clock {
    return {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      sleep: async (ms, signal) => {
        const dueMs = clock.monotonic() + ms;
        await clock.sleep(ms, signal);
        if (signal?.aborted === true || dueMs < this.#measuredMs) return;
        this.#measuredMs = clock.monotonic();
        this.histogram.observe(Math.max(0, this.#measuredMs - dueMs) / 1000);
      },
    };
  }
}

interface HasProcess {
  readonly process: ProcessView;
}

function gauge(name: string, help: string, read: Metric<HasProcess>["read"]): Metric<HasProcess> {
  return { name, type: "gauge", help, read };
}

/** The names are those of Prometheus' client libraries where one exists. */
export const PROCESS_METRICS: MetricGroup<HasProcess> = {
  title: "The process",
  metrics: [
    {
      name: "kubevirt_telemetry_build_info",
      type: "gauge",
      help: "Always 1; the labels are the versions of this program and of Node",
      labels: ["version", "node_version"],
      read: ({ process: { version, nodeVersion } }) => [[1, version, nodeVersion]],
    },
    {
      name: "kubevirt_telemetry_event_loop_lag_seconds",
      type: "histogram",
      help: "Delay of the timers of this program",
      read: ({ process }) => process.eventLoopLag,
    },
    {
      name: "process_cpu_seconds_total",
      type: "counter",
      help: "CPU time, user and system",
      read: ({ process }) => process.cpuSeconds,
    },
    gauge("process_resident_memory_bytes", "Resident memory", ({ process }) => process.residentBytes),
    gauge("process_start_time_seconds", "Start of the process, Unix time", ({ process }) => process.startedMs / 1000),
    gauge("process_open_fds", "Open files and connections", ({ process }) => process.openFiles),
    gauge("nodejs_heap_size_used_bytes", "Memory of JavaScript objects", ({ process }) => process.heapBytes),
    gauge(
      "nodejs_external_memory_bytes",
      "Memory of buffers and native objects",
      ({ process }) => process.externalBytes,
    ),
  ],
};
