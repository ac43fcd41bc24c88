import type { ControllerView } from "./controller-view.ts";
import type { MetricGroup, Reading } from "./metric.ts";
import { PROCESS_METRICS } from "./process-metrics.ts";
import { WATCH_METRICS } from "./watch-metrics.ts";

const CLUSTER_METRICS: MetricGroup<ControllerView> = {
  title: "The cluster",
  metrics: [
    {
      name: "kubevirt_telemetry_controller_leading",
      type: "gauge",
      help: "1 on the controller that works, 0 on those that wait",
      read: ({ leading }) => (leading ? 1 : 0),
    },
    {
      name: "kubevirt_telemetry_controller_config_nodes",
      type: "gauge",
      help: "Nodes by what status.nodes of their TelemetryConfig says of them",
      labels: ["config", "state"],
      read: ({ configs }) =>
        configs.flatMap(({ name, status }) =>
          Object.entries(status?.nodes ?? {}).map(([state, nodes]): Reading => [nodes, name, state]),
        ),
    },
  ],
};

/** Every metric of a controller. */
export const CONTROLLER_METRICS: readonly MetricGroup<ControllerView>[] = [
  CLUSTER_METRICS,
  WATCH_METRICS,
  PROCESS_METRICS,
];
