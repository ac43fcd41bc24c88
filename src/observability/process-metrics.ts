import type { Metric, MetricGroup } from "./metric.ts";
import type { ProcessView } from "./process-view.ts";

interface HasProcess {
  readonly process: ProcessView;
}

function gauge(name: string, help: string, read: Metric<HasProcess>["read"]): Metric<HasProcess> {
  return { name, type: "gauge", help, read };
}

/** Under the names that every client library of Prometheus gives them, where there is one. */
export const PROCESS_METRICS: MetricGroup<HasProcess> = {
  title: "The process",
  metrics: [
    {
      name: "kubevirt_telemetry_build_info",
      type: "gauge",
      help: "Always 1; the versions of this program and of Node",
      labels: ["version", "node_version"],
      read: ({ process: { version, nodeVersion } }) => [[1, version, nodeVersion]],
    },
    {
      name: "kubevirt_telemetry_event_loop_lag_seconds",
      type: "histogram",
      help: "How late timers are, seen twice a second",
      read: ({ process }) => process.eventLoopLag,
    },
    {
      name: "process_cpu_seconds_total",
      type: "counter",
      help: "CPU time, user and system",
      read: ({ process }) => process.cpuSeconds,
    },
    gauge("process_resident_memory_bytes", "Resident memory", ({ process }) => process.residentBytes),
    gauge("process_start_time_seconds", "When the process started", ({ process }) => process.startedMs / 1000),
    gauge("process_open_fds", "Open files and connections", ({ process }) => process.openFiles),
    gauge("nodejs_heap_size_used_bytes", "JavaScript objects", ({ process }) => process.heapBytes),
    gauge("nodejs_external_memory_bytes", "Buffers and native objects", ({ process }) => process.externalBytes),
  ],
};
