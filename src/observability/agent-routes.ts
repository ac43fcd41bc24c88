import { AGENT_METRICS } from "./agent-metrics.ts";
import type { AgentView } from "./agent-view.ts";
import { exposition, EXPOSITION_TYPE } from "./exposition.ts";
import { healthAnswer, readyAnswer } from "./health.ts";
import { plain, type Answer, type Routes } from "./http-server.ts";
import { statusPage } from "./status-page.ts";

/** What an agent serves. `view` has nothing to show before the agent has started. */
export function agentRoutes(view: () => AgentView | undefined, ending: AbortSignal): Routes {
  const shown =
    (answer: (view: AgentView, query: URLSearchParams) => Answer) =>
    (query: URLSearchParams): Answer => {
      const now = view();
      return now === undefined ? plain(503, "starting") : answer(now, query);
    };
  return {
    "/": shown(statusPage),
    "/metrics": shown((now) => ({ type: EXPOSITION_TYPE, body: exposition(AGENT_METRICS, now) })),
    "/healthz": () => healthAnswer(view()),
    "/readyz": () => readyAnswer({ started: view() !== undefined, ending: ending.aborted }),
  };
}
