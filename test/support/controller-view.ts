import type { ControllerView } from "../../src/observability/controller-view.ts";
import { agentView, watchOf } from "./agent-view.ts";

/** A leading controller with one TelemetryConfig, some of whose nodes are not ready. */
export function controllerView(): ControllerView {
  return {
    process: agentView().process,
    nowMs: 0,
    identity: "a",
    leading: true,
    configs: [
      {
        name: "default",
        suspended: false,
        status: {
          observedGeneration: 1,
          conditions: [],
          targetCount: 1,
          nodes: { selected: 5, governed: 4, ready: 2, degraded: 1, stale: 1 },
          nodeSummary: "2/4",
          failures: [],
        },
      },
    ],
    watches: [watchOf("TelemetryConfigs", 1)],
  };
}
