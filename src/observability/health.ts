import { formatSpan } from "../lib/quantity.ts";
import { plain, type Answer } from "./http-server.ts";
import type { AgentView } from "./agent-view.ts";

/**
 * Whether this process works, for who would restart it: the event loop turns, or there would be no answer, and cycles go on.
 * What is wrong elsewhere is no reason: no daemon, no target and no API server gets well by it.
 */
export function healthAnswer(view: Pick<AgentView, "cycles" | "monotonicMs"> | undefined): Answer {
  const { progressMs, patienceMs } = view?.cycles ?? {};
  if (view === undefined || progressMs === undefined || patienceMs === undefined) return plain(200, "ok, starting");
  const standstillMs = view.monotonicMs - progressMs;
  return standstillMs > patienceMs ? plain(503, `no cycle for ${formatSpan(standstillMs)}`) : plain(200, "ok");
}

/** Whether it has started and does not end: it needs no configuration, because that may come later. */
export function readyAnswer({ started, ending }: { readonly started: boolean; readonly ending: boolean }): Answer {
  if (ending) return plain(503, "ending");
  return started ? plain(200, "ok") : plain(503, "starting");
}
