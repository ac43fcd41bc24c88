import { formatSpan } from "../lib/quantity.ts";
import { CONTROLLER_METRICS } from "./controller-metrics.ts";
import type { ControlledConfig, ControllerView } from "./controller-view.ts";
import { exposition, EXPOSITION_TYPE } from "./exposition.ts";
import { readyAnswer } from "./health.ts";
import { html, type Html } from "./html.ts";
import { plain, type Answer, type Routes } from "./http-server.ts";
import { chip, pageAnswer, tableSection, type Column } from "./page.ts";
import { watchSection } from "./watch-section.ts";

/** What a controller serves. */
export function controllerRoutes(view: () => ControllerView, ending: AbortSignal): Routes {
  return {
    "/": (query) => controllerPage(view(), query),
    "/metrics": () => ({ type: EXPOSITION_TYPE, body: exposition(CONTROLLER_METRICS, view()) }),
    // It has no work by a clock: that it answers is all.
    "/healthz": () => plain(200, "ok"),
    "/readyz": () => readyAnswer({ started: true, ending: ending.aborted }),
  };
}

const COLUMNS: readonly Column<ControlledConfig>[] = [
  { title: "TelemetryConfig", cell: ({ name }) => name },
  { title: "Ready", cell: readiness },
  { title: "Nodes selected", kind: "number", cell: ({ status }) => status?.nodes.selected ?? 0 },
  { title: "governed", kind: "number", cell: ({ status }) => status?.nodes.governed ?? 0 },
  { title: "ready", kind: "number", cell: ({ status }) => status?.nodes.ready ?? 0 },
  { title: "not ready", kind: "number", cell: ({ status }) => status?.nodes.degraded ?? 0 },
  { title: "silent", kind: "number", cell: ({ status }) => status?.nodes.stale ?? 0 },
  {
    title: "Why",
    kind: "text",
    cell: ({ status }) => status?.conditions.find(({ type }) => type === "Ready")?.message ?? "",
  },
];

function readiness({ status, suspended }: ControlledConfig): Html {
  if (suspended) return chip("suspended", "none");
  const known = status?.conditions.find(({ type }) => type === "Ready")?.status;
  if (known === "True") return chip("ready", "good");
  return known === "False" ? chip("not ready", "bad") : chip("unknown", "none");
}

function controllerPage(
  { process, nowMs, identity, leading, configs, watches }: ControllerView,
  query: URLSearchParams,
): Answer {
  const waiting = "Another controller works, and this one would take its place.";
  return pageAnswer(
    {
      title: "Controller",
      verdict: leading ? chip("leading", "good") : chip("waiting", "none"),
      subtitle: html`kubevirt-telemetry ${process.version}, up ${formatSpan(nowMs - process.startedMs)}, as ${identity}`,
      body: [
        tableSection("TelemetryConfigs", configs, COLUMNS, leading ? "There is none." : waiting),
        ...watchSection(watches),
      ],
    },
    query,
  );
}
