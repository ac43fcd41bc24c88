import type { Section } from "./panel.ts";

/** A query of Prometheus. `$pods` in it selects the pods. */
export interface Expression {
  readonly expr: string;
  readonly legend: string;
}

/** Names agents by their node, if Prometheus has it as a label. The chart's PodMonitor sets that label. */
const POD = "{{node}} {{instance}}";
const BY_POD = "sum by (node, instance)";

function perPod(expr: string, more = ""): Expression {
  return { expr, legend: more === "" ? POD : `${POD} ${more}` };
}

function rate(metric: string, more = ""): string {
  return `rate(${metric}{$pods}[$__rate_interval])${more}`;
}

export const AGENT_PANELS: readonly Section<Expression>[] = [
  {
    title: "All",
    panels: [
      {
        title: "Agents up",
        description: "Agents whose last scrape by Prometheus worked.",
        unit: "none",
        kind: "stat",
        asked: [{ expr: "count(kubevirt_telemetry_cycles_total{$pods})", legend: "agents" }],
      },
      {
        title: "VMs",
        description: "VMs collected in the last cycle, by all agents.",
        unit: "none",
        kind: "stat",
        asked: [{ expr: "sum(kubevirt_telemetry_domains{$pods})", legend: "VMs" }],
      },
      {
        title: "Stuck VMs",
        description: "VMs whose QEMU does not answer libvirt.",
        unit: "none",
        kind: "stat",
        steps: [
          [0, "green"],
          [1, "red"],
        ],
        asked: [{ expr: "sum(kubevirt_telemetry_stuck_domains{$pods})", legend: "VMs" }],
      },
      {
        title: "Failing targets",
        description: "Targets that store no lines, of all agents.",
        unit: "none",
        kind: "stat",
        steps: [
          [0, "green"],
          [1, "red"],
        ],
        asked: [{ expr: 'sum(kubevirt_telemetry_target_state{$pods, state="Failing"})', legend: "targets" }],
      },
      {
        title: "Oldest queued line",
        description: "Age of the oldest line that a target has not stored yet.",
        unit: "s",
        kind: "stat",
        steps: [
          [0, "green"],
          [300, "orange"],
          [1800, "red"],
        ],
        asked: [{ expr: "max(kubevirt_telemetry_target_oldest_unsent_age_seconds{$pods})", legend: "age" }],
      },
      {
        title: "Lines dropped",
        description: "Lines dropped before a target stored them, in the time shown.",
        unit: "none",
        kind: "stat",
        decimals: 0,
        steps: [
          [0, "green"],
          [1, "red"],
        ],
        asked: [
          { expr: "sum(increase(kubevirt_telemetry_target_dropped_lines_total{$pods}[$__range]))", legend: "lines" },
        ],
      },
    ],
  },
  {
    title: "Collection",
    panels: [
      {
        title: "Cycles run",
        description: "Share of the cycles of the configured interval; 100 % is all.",
        unit: "percentunit",
        kind: "series",
        asked: [
          perPod(
            `${rate("kubevirt_telemetry_cycles_total")} * on (node, instance) kubevirt_telemetry_interval_seconds{$pods}`,
          ),
        ],
      },
      {
        title: "Skipped and incomplete cycles",
        description:
          "Cycles that did not begin because the previous one was still running, and cycles that did not collect everything.",
        unit: "cps",
        kind: "series",
        asked: [
          perPod(rate("kubevirt_telemetry_ticks_skipped_total"), "skipped"),
          perPod(rate("kubevirt_telemetry_cycles_incomplete_total"), "incomplete"),
        ],
      },
      {
        title: "Cycle duration, 99th percentile",
        description: "From the tick until all lines of the cycle are in the spool.",
        unit: "s",
        kind: "series",
        asked: [
          perPod(
            `histogram_quantile(0.99, sum by (node, instance, le) (${rate("kubevirt_telemetry_cycle_duration_seconds_bucket")}))`,
          ),
        ],
      },
      {
        title: "VMs",
        description: "VMs collected in the last cycle, by agent.",
        unit: "none",
        kind: "series",
        asked: [perPod("kubevirt_telemetry_domains{$pods}")],
      },
      {
        title: "Failing libvirt daemons",
        description: "Daemons that failed, or with a QEMU that does not answer, by agent.",
        unit: "none",
        kind: "series",
        asked: [perPod('kubevirt_telemetry_endpoints{$pods, state=~"failed|stuck"}', "{{state}}")],
      },
      {
        title: "libvirt errors",
        description: "libvirt errors by code; docs/errors.md explains the codes. Empty without errors.",
        unit: "cps",
        kind: "series",
        asked: [{ expr: `sum by (code) (${rate("kubevirt_telemetry_libvirt_errors_total")})`, legend: "{{code}}" }],
      },
    ],
  },
  {
    title: "Delivery",
    panels: [
      {
        title: "Lines written and stored",
        description: "Lines of all agents, and the lines that each target has stored. Several targets each store all.",
        unit: "cps",
        kind: "series",
        asked: [
          { expr: `sum(${rate("kubevirt_telemetry_lines_total")})`, legend: "written" },
          { expr: `sum by (target) (${rate("kubevirt_telemetry_target_sent_lines_total")})`, legend: "{{target}}" },
        ],
      },
      {
        title: "Queued lines",
        description: "Lines that a target has not stored yet, of all agents.",
        unit: "none",
        kind: "series",
        asked: [{ expr: "sum by (target) (kubevirt_telemetry_target_queue_lines{$pods})", legend: "{{target}}" }],
      },
      {
        title: "Oldest queued line",
        description: "The greatest age of a queued line, of all agents.",
        unit: "s",
        kind: "series",
        asked: [
          {
            expr: "max by (target) (kubevirt_telemetry_target_oldest_unsent_age_seconds{$pods})",
            legend: "{{target}}",
          },
        ],
      },
      {
        title: "Lines dropped or rejected",
        description: "Lines dropped because of the buffer's limits or the disk, and lines that a target rejected.",
        unit: "cps",
        kind: "series",
        asked: [
          {
            expr: `sum by (target, reason) (${rate("kubevirt_telemetry_target_dropped_lines_total")})`,
            legend: "dropped {{target}} {{reason}}",
          },
          {
            expr: `sum by (target) (${rate("kubevirt_telemetry_target_rejected_lines_total")})`,
            legend: "rejected {{target}}",
          },
        ],
      },
      {
        title: "Buffer",
        description: "Size of the spool, as a share of its limit. At 100 % the oldest lines are dropped.",
        unit: "percentunit",
        kind: "series",
        steps: [
          [0, "green"],
          [0.8, "red"],
        ],
        asked: [perPod("kubevirt_telemetry_spool_bytes{$pods} / kubevirt_telemetry_spool_cap_bytes{$pods}")],
      },
      {
        title: "Sent",
        description: "Size of the request bodies, compressed.",
        unit: "binBps",
        kind: "series",
        asked: [
          { expr: `sum by (target) (${rate("kubevirt_telemetry_target_sent_bytes_total")})`, legend: "{{target}}" },
        ],
      },
    ],
  },
  {
    title: "Processes of agents and controllers",
    panels: [
      {
        title: "CPU",
        description: "Number of CPUs that the process keeps busy.",
        unit: "suffix:cores",
        kind: "series",
        asked: [perPod(`${BY_POD} (${rate("process_cpu_seconds_total")})`)],
      },
      {
        title: "Resident memory",
        description: "Resident memory of the process.",
        unit: "bytes",
        kind: "series",
        asked: [perPod("process_resident_memory_bytes{$pods}")],
      },
      {
        title: "Event loop lag, 99th percentile",
        description: "How late timers are. Above a second the process lacks CPU.",
        unit: "s",
        kind: "series",
        steps: [
          [0, "green"],
          [1, "red"],
        ],
        asked: [
          perPod(
            `histogram_quantile(0.99, sum by (node, instance, le) (${rate("kubevirt_telemetry_event_loop_lag_seconds_bucket")}))`,
          ),
        ],
      },
      {
        title: "Nodes, by state",
        description: "Nodes of each TelemetryConfig, from the leading controller.",
        unit: "none",
        kind: "series",
        asked: [
          {
            expr: "sum by (config, state) (kubevirt_telemetry_controller_config_nodes{$pods})",
            legend: "{{config}} {{state}}",
          },
        ],
      },
      {
        title: "Time since the API server's last answer",
        description:
          "Time since the API server last confirmed that no change is missing. It does so about every minute.",
        unit: "s",
        kind: "series",
        asked: [perPod("kubevirt_telemetry_kubernetes_stale_seconds{$pods}", "{{resource}}")],
      },
      {
        title: "Versions",
        description: "Processes by version.",
        unit: "none",
        kind: "series",
        asked: [{ expr: "count by (version) (kubevirt_telemetry_build_info{$pods})", legend: "{{version}}" }],
      },
    ],
  },
];
