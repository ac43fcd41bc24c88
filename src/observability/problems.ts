import { formatSpan } from "../lib/quantity.ts";
import type { AgentView, EndpointView, TargetView } from "./agent-view.ts";

/** A healthy API server sends a sign of life every minute. */
const STALE_MS = 180_000;

/** What is wrong on this node at the moment, in sentences. */
export function problemsOf(view: AgentView): readonly string[] {
  const { config, libvirt, targets, spool, watches } = view;
  const { unsavedLines = 0 } = spool.disk ?? {};
  return [
    ...(config.fault === undefined ? [] : [`${config.fault.reason}: ${config.fault.message}`]),
    ...(libvirt.fault === undefined ? [] : [describe(libvirt.fault)]),
    ...libvirt.endpoints.flatMap((view) => {
      const { endpoint, state, error } = view;
      if (state === "failed") return [`${endpoint}: ${describe(error)}`];
      return silentDomains(view).map((sentence) => `${endpoint}: ${sentence}`);
    }),
    ...targets.flatMap((target) => [...failing(target), ...lost(target)]),
    ...(unsavedLines > 0 ? [`the disk does not take ${unsavedLines} lines, they are in memory only`] : []),
    ...watches.flatMap(({ resource, staleMs }) => {
      // Nothing was to be heard before the start.
      if (Math.min(staleMs, view.nowMs - view.process.startedMs) < STALE_MS) return [];
      const since = Number.isFinite(staleMs) ? `since ${formatSpan(staleMs)}` : "yet";
      return [`${resource}: nothing heard from the API server ${since}; what was last known stays in force`];
    }),
  ];
}

/** Which domains of a daemon have no values of QEMU, and why. */
export function silentDomains({ stuck, busy }: Pick<EndpointView, "stuck" | "busy">): readonly string[] {
  return [
    ...(stuck.length === 0 ? [] : [`no answer from the QEMU of ${stuck.join(", ")}`]),
    ...(busy.length === 0 ? [] : [`busy with a job of another client: ${busy.join(", ")}`]),
  ];
}

export function describe(error: { readonly code: string; readonly message: string } | undefined): string {
  return error === undefined ? "no answer" : `${error.code}: ${error.message}`;
}

function failing({ name, record, backlog }: TargetView): readonly string[] {
  if (record.state !== "Failing") return [];
  return [`${name}: ${record.reason ?? "failing"}, ${backlog.lines} lines wait: ${record.detail ?? ""}`];
}

function lost({ name, losses }: TargetView): readonly string[] {
  const reasons = Object.entries(losses).filter(([, lines]) => lines > 0);
  if (reasons.length === 0) return [];
  const parts = reasons.map(([reason, lines]) => `${lines} (${reason})`);
  return [`${name}: lines were lost since the start: ${parts.join(", ")}`];
}
