import { formatSpan } from "../lib/quantity.ts";
import type { AgentView } from "./agent-view.ts";
import { COLLECTION_METRICS, CONFIG_METRICS, LINE_METRICS } from "./collection-metrics.ts";
import { SPOOL_METRICS, TARGET_METRICS } from "./delivery-metrics.ts";
import { plain, type Answer, type Routes } from "./http-server.ts";
import { formatMetrics, METRICS_CONTENT_TYPE, type MetricGroup } from "./metric.ts";
import { PROCESS_METRICS } from "./process-view.ts";
import { statusPage } from "./status-page.ts";
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

/** Returns the pages of an agent. `view` returns undefined until the agent has started. */
export function agentRoutes(view: () => AgentView | undefined, ending: AbortSignal): Routes {
  const onceStarted =
    (answer: (view: AgentView, query: URLSearchParams) => Answer) =>
    (query: URLSearchParams): Answer => {
      const current = view();
      return current === undefined ? plain(503, "starting") : answer(current, query);
    };
  return {
    "/": onceStarted(statusPage),
    "/metrics": onceStarted((current) => ({
      type: METRICS_CONTENT_TYPE,
      body: formatMetrics(AGENT_METRICS, current),
    })),
    "/healthz": () => healthAnswer(view()),
    "/readyz": () => readyAnswer({ started: view() !== undefined, ending: ending.aborted }),
  };
}

/**
 * Returns the liveness: 503 when cycles have stopped. If the event loop is blocked, there is no answer at all. A failing libvirt
 * daemon, target or API server does not count, because a restart cannot fix it.
 */
export function healthAnswer(view: Pick<AgentView, "cycles" | "monotonicMs"> | undefined): Answer {
  const { progressMs, patienceMs } = view?.cycles ?? {};
  if (view === undefined || progressMs === undefined || patienceMs === undefined) return plain(200, "ok, starting");
  const stalledMs = view.monotonicMs - progressMs;
  return stalledMs > patienceMs ? plain(503, `no cycle for ${formatSpan(stalledMs)}`) : plain(200, "ok");
}

/** Returns the readiness: 200 from the start until shutdown begins. It needs no configuration, which may arrive later. */
export function readyAnswer({ started, ending }: { readonly started: boolean; readonly ending: boolean }): Answer {
  if (ending) return plain(503, "shutting down");
  return started ? plain(200, "ok") : plain(503, "starting");
}
