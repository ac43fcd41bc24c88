import type { AgentView, EndpointStateName } from "./agent-view.ts";
import type { MetricGroup } from "./metric.ts";

const ENDPOINT_STATES: readonly EndpointStateName[] = ["up", "stuck", "failed", "absent"];

export const CONFIG_METRICS: MetricGroup<AgentView> = {
  title: "Configuration",
  metrics: [
    {
      name: "kubevirt_telemetry_config_info",
      type: "gauge",
      help: "1 for the active configuration, a TelemetryConfig or a file; no value while nothing is configured",
      labels: ["source", "state"],
      read: ({ config: { active, source = "" } }) => (active === undefined ? [] : [[1, source, active.state]]),
    },
    {
      name: "kubevirt_telemetry_config_generation",
      type: "gauge",
      help: "Generation of the active TelemetryConfig; in a cluster only",
      read: ({ config }) => config.generation,
    },
    {
      name: "kubevirt_telemetry_config_fault",
      type: "gauge",
      help: "1 while the newest configuration cannot be used and the previous one stays active, or is in use and a target lacks its Secret",
      labels: ["reason"],
      read: ({ config: { fault } }) => (fault === undefined ? [] : [[1, fault.reason]]),
    },
    {
      name: "kubevirt_telemetry_interval_seconds",
      type: "gauge",
      help: "Configured time from one cycle to the next",
      read: ({ config: { active } }) => active && active.intervalMs / 1000,
    },
  ],
};

export const COLLECTION_METRICS: MetricGroup<AgentView> = {
  title: "Collection",
  metrics: [
    {
      name: "kubevirt_telemetry_cycles_total",
      type: "counter",
      help: "Cycles run",
      read: ({ cycles }) => cycles.cycles,
    },
    {
      name: "kubevirt_telemetry_cycles_incomplete_total",
      type: "counter",
      help: "Cycles that could not collect everything",
      read: ({ cycles }) => cycles.incomplete,
    },
    {
      name: "kubevirt_telemetry_ticks_skipped_total",
      type: "counter",
      help: "Cycles skipped because the previous one was still running",
      read: ({ cycles }) => cycles.skippedTicks,
    },
    {
      name: "kubevirt_telemetry_cycle_duration_seconds",
      type: "histogram",
      help: "Time from the tick until all lines of the cycle are in the spool",
      read: ({ cycles }) => cycles.durations,
    },
    {
      name: "kubevirt_telemetry_domains",
      type: "gauge",
      help: "VMs collected in the last cycle",
      read: ({ libvirt }) => libvirt.endpoints.reduce((sum, { samples }) => sum + samples.length, 0),
    },
    {
      name: "kubevirt_telemetry_stuck_domains",
      type: "gauge",
      help: "VMs whose QEMU does not answer libvirt",
      read: ({ libvirt }) => libvirt.endpoints.reduce((sum, { stuck }) => sum + stuck.length, 0),
    },
    {
      name: "kubevirt_telemetry_endpoints",
      type: "gauge",
      help: "libvirt daemons by state: up, stuck (a QEMU does not answer), failed, absent (its launcher starts or ends)",
      labels: ["state"],
      read: ({ libvirt }) =>
        ENDPOINT_STATES.map((state) => [
          libvirt.endpoints.filter((endpoint) => endpoint.state === state).length,
          state,
        ]),
    },
    {
      name: "kubevirt_telemetry_libvirt_fault",
      type: "gauge",
      help: "1 while the libvirt daemons of the node cannot be found, by code; docs/errors.md explains the codes",
      labels: ["code"],
      read: ({ libvirt: { fault } }) => (fault === undefined ? [] : [[1, fault.code]]),
    },
    {
      name: "kubevirt_telemetry_libvirt_held_workers",
      type: "gauge",
      help: "Calls for statistics that stuck QEMUs block now, 5 of a daemon at most; each occupies one of its workers",
      read: ({ libvirt }) => libvirt.blockedCalls,
    },
    {
      name: "kubevirt_telemetry_libvirt_calls_total",
      type: "counter",
      help: "Calls to libvirt daemons",
      read: ({ libvirt }) => libvirt.calls,
    },
    {
      name: "kubevirt_telemetry_libvirt_errors_total",
      type: "counter",
      help: "libvirt errors by code; docs/errors.md explains the codes",
      labels: ["code"],
      read: ({ libvirt }) => [...libvirt.errors].map(([code, count]) => [count, code]),
    },
    {
      name: "kubevirt_telemetry_endpoint_rejections_total",
      type: "counter",
      help: "Times that a launcher exceeded its budget, by reason; docs/errors.md explains E_LAUNCHER_BUDGET",
      labels: ["reason"],
      read: ({ libvirt }) => [...libvirt.rejections].map(([reason, count]) => [count, reason]),
    },
  ],
};

export const LINE_METRICS: MetricGroup<AgentView> = {
  title: "Lines",
  metrics: [
    {
      name: "kubevirt_telemetry_lines_total",
      type: "counter",
      help: "Lines collected; a line for several targets counts once",
      read: ({ spool }) => spool.appendedLines,
    },
    {
      name: "kubevirt_telemetry_lines_left_out_total",
      type: "counter",
      help: "Lines left out because their launcher exceeds its budget",
      read: ({ leftOutLines }) => leftOutLines,
    },
    {
      name: "kubevirt_telemetry_values_clamped_total",
      type: "counter",
      help: "Integers outside the 64-bit range, set to its limit",
      read: ({ lines }) => lines.clampedIntegers,
    },
    {
      name: "kubevirt_telemetry_values_omitted_total",
      type: "counter",
      help: "Floats left out because they were NaN or infinite",
      read: ({ lines }) => lines.omittedFloats,
    },
    {
      name: "kubevirt_telemetry_tags_sanitized_total",
      type: "counter",
      help: "Tag values and texts shortened or changed because line protocol cannot hold them",
      read: ({ lines }) => lines.sanitizedTags,
    },
    {
      name: "kubevirt_telemetry_raw_parameters_left_out_total",
      type: "counter",
      help: "Parameters left out of vm_raw: too many, of another type than before, or with a name that is taken",
      read: ({ lines }) => lines.omittedParameters,
    },
  ],
};
