import type { LatestSamples } from "../collection/latest-samples.ts";
import type { Clock } from "../lib/clock.ts";
import { formatSpan } from "../lib/quantity.ts";
import type { AgentView } from "./agent-view.ts";
import { COLLECTION_METRICS, CONFIG_METRICS, LINE_METRICS } from "./collection-metrics.ts";
import { SPOOL_METRICS, TARGET_METRICS } from "./delivery-metrics.ts";
import { plain, type Answer, type Routes } from "./http-server.ts";
import type { MetricGroup } from "./metric.ts";
import { PROCESS_METRICS } from "./process-view.ts";
import { stalledMs, type Progress } from "./progress.ts";
import { metricsRoute, sharedRoute, sharedRoutes } from "./shared-route.ts";
import { slicedRoute } from "./sliced-route.ts";
import { STATUS_PATHS, statusPages } from "./status-page.ts";
import { vmMetricsText } from "./vm-metrics-text.ts";
import { WATCH_METRICS } from "./watch-view.ts";

/** Every metric of an agent; docs/metrics.md is generated from it. */
export const AGENT_METRICS: readonly MetricGroup<AgentView>[] = [
  CONFIG_METRICS,
  COLLECTION_METRICS,
  LINE_METRICS,
  TARGET_METRICS,
  SPOOL_METRICS,
  WATCH_METRICS,
  PROCESS_METRICS,
];

export interface AgentSources {
  /** Makes a snapshot, which may be costly. Returns undefined until the agent has started. */
  readonly view: () => AgentView | undefined;
  /** What health needs, without the cost of a snapshot. Returns undefined until the agent has started. */
  readonly progress: () => Progress | undefined;
  /** What `/metrics/vms` shows; undefined if it is off. */
  readonly vms?: VmSource | undefined;
  readonly ending: AbortSignal;
  readonly clock: Clock;
}

interface VmSource {
  readonly latest: LatestSamples;
  /** The label `node`. */
  readonly node: string | undefined;
}

/** Returns the pages of an agent. Its page and metrics are shared for a second; health and readiness are current. */
export function agentRoutes({ view, progress, vms, ending, clock }: AgentSources): Routes {
  return {
    ...sharedRoutes(clock, view, STATUS_PATHS, statusPages),
    "/metrics": sharedRoute(clock, view, metricsRoute(AGENT_METRICS)),
    ...(vms !== undefined && { "/metrics/vms": slicedRoute(clock, ending, () => vmPieces(vms, progress())) }),
    "/healthz": () => healthAnswer(progress()),
    "/readyz": () => readyAnswer({ started: progress() !== undefined, ending: ending.aborted }),
  };
}

/** Returns the values of VMs in pieces. While cycles have stopped there are none: the last ones are too old. */
function vmPieces({ latest, node }: VmSource, progress: Progress | undefined): Iterable<string> | undefined {
  if (progress === undefined) return undefined;
  return vmMetricsText(stalledMs(progress) === undefined ? latest.vms : [], node);
}

/**
 * Returns the liveness: 503 when cycles have stopped. If the event loop is blocked, there is no answer at all. A failing libvirt
 * daemon, target or API server does not count, because a restart cannot fix it.
 */
export function healthAnswer(progress: Progress | undefined): Answer {
  if (progress?.cycles.progressMs === undefined) return plain(200, "ok, starting");
  const ms = stalledMs(progress);
  return ms === undefined ? plain(200, "ok") : plain(503, `no cycle for ${formatSpan(ms)}`);
}

/** Returns the readiness: 200 from the start until shutdown begins. It needs no configuration, which may arrive later. */
export function readyAnswer({ started, ending }: { readonly started: boolean; readonly ending: boolean }): Answer {
  if (ending) return plain(503, "shutting down");
  return started ? plain(200, "ok") : plain(503, "starting");
}
