import type { AgentView } from "./agent-view.ts";

/** What shows whether cycles go on. */
export type Progress = Pick<AgentView, "cycles" | "monotonicMs">;

/** Returns for how long cycles have stopped; undefined if they go on, or have not begun. */
export function stalledMs({ cycles, monotonicMs }: Progress): number | undefined {
  const ms = monotonicMs - (cycles.progressMs ?? monotonicMs);
  return ms > cycles.patienceMs ? ms : undefined;
}
