import { isMisbehavior, isSampledLessOften, unansweredDomains } from "../collection/source.ts";
import { STALE_MS } from "../kubernetes/store-fault.ts";
import { formatSpan } from "../lib/quantity.ts";
import type { AgentView, TargetView } from "./agent-view.ts";
import { stalledMs } from "./progress.ts";

/** Problems on the status page, and in /status.json. */
export const MAX_PROBLEMS = 50;

/** Returns the current problems of this node, one sentence each. */
export function problemsOf(view: AgentView): readonly string[] {
  const { config, libvirt, targets, spool, watches } = view;
  const { unsavedLines = 0 } = spool.disk ?? {};
  const silentMs = stalledMs(view);
  return [
    ...(silentMs === undefined ? [] : [`no cycle for ${formatSpan(silentMs)}: nothing is collected`]),
    ...(config.fault === undefined ? [] : [`${config.fault.reason}: ${config.fault.message}`]),
    ...(libvirt.fault === undefined ? [] : [errorText(libvirt.fault)]),
    ...libvirt.endpoints.flatMap((view) => {
      const { endpoint, state, error } = view;
      const isProblem =
        state === "failed" || (error !== undefined && (isMisbehavior(error) || isSampledLessOften(error)));
      const sentences = [
        ...(isProblem ? [errorText(error)] : []),
        ...(state === "failed" ? [] : unansweredDomains(view)),
      ];
      return sentences.map((sentence) => `${endpoint}: ${sentence}`);
    }),
    ...targets.flatMap((target) => [...failing(target), ...dropped(target), ...rejected(target)]),
    ...(unsavedLines > 0 ? [`${unsavedLines} lines could not be written to disk: they are in memory only`] : []),
    ...watches.flatMap(({ resource, staleMs, fault }) => {
      if (fault !== undefined && fault.reason !== "Unreachable")
        return [`${resource}: ${fault.reason}: ${fault.message}`];
      // The agent cannot be without an answer for longer than it runs.
      if (Math.min(staleMs, view.nowMs - view.process.startedMs) < STALE_MS) return [];
      const since = Number.isFinite(staleMs) ? `for ${formatSpan(staleMs)}` : "yet";
      return [`${resource}: no answer from the API server ${since}: the last known state stays active`];
    }),
  ];
}

export function errorText(error: { readonly code: string; readonly message: string } | undefined): string {
  return error === undefined ? "no answer" : `${error.code}: ${error.message}`;
}

function failing({ name, record, backlog }: TargetView): readonly string[] {
  if (record.state !== "Failing") return [];
  return [`${name}: ${record.reason ?? "failing"}, ${backlog.lines} lines queued: ${record.detail ?? ""}`];
}

function dropped({ name, losses }: TargetView): readonly string[] {
  const reasons = Object.entries(losses).filter(([, lines]) => lines > 0);
  if (reasons.length === 0) return [];
  const parts = reasons.map(([reason, lines]) => `${lines} (${reason})`);
  return [`${name}: lines dropped since the start: ${parts.join(", ")}`];
}

function rejected({ name, record: { rejectedLines } }: TargetView): readonly string[] {
  return rejectedLines === 0
    ? []
    : [`${name}: lines rejected since the start: ${rejectedLines} (they are not sent again)`];
}
