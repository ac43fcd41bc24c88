import type { AgentView } from "./agent-view.ts";
import { COLLECTION_METRICS, CONFIG_METRICS, LINE_METRICS } from "./collection-metrics.ts";
import { SPOOL_METRICS, TARGET_METRICS } from "./delivery-metrics.ts";
import type { MetricGroup } from "./metric.ts";
import { PROCESS_METRICS } from "./process-metrics.ts";
import { WATCH_METRICS } from "./watch-metrics.ts";

/** Every metric of an agent; docs/metrics.md is made of it. */
export const AGENT_METRICS: readonly MetricGroup<AgentView>[] = [
  CONFIG_METRICS,
  COLLECTION_METRICS,
  LINE_METRICS,
  TARGET_METRICS,
  SPOOL_METRICS,
  WATCH_METRICS,
  PROCESS_METRICS,
];
