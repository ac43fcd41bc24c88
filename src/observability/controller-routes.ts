import type { Clock } from "../lib/clock.ts";
import { formatSpan } from "../lib/quantity.ts";
import { readyAnswer } from "./agent-routes.ts";
import { boundedAnswers } from "./bounded-answers.ts";
import type { ControlledConfig, ControllerView } from "./controller-view.ts";
import { plain, type Answer, type Routes } from "./http-server.ts";
import type { MetricGroup, Reading } from "./metric.ts";
import { chip, html, linkTo, pageAnswer, refreshSetting, tableSection, type Column, type Html } from "./page.ts";
import { PROCESS_METRICS } from "./process-view.ts";
import { metricsRoute, sharedRoute } from "./shared-route.ts";
import { WATCH_METRICS, watchSection } from "./watch-view.ts";

const CLUSTER_METRICS: MetricGroup<ControllerView> = {
  title: "The cluster",
  metrics: [
    {
      name: "kubevirt_telemetry_controller_leading",
      type: "gauge",
      help: "1 on the leader, 0 on a standby controller",
      read: ({ leading }) => (leading ? 1 : 0),
    },
    {
      name: "kubevirt_telemetry_controller_config_nodes",
      type: "gauge",
      help: "Nodes of each TelemetryConfig by state, as in its status.nodes",
      labels: ["config", "state"],
      read: ({ configs }) =>
        configs.flatMap(({ name, status }) =>
          Object.entries(status?.nodes ?? {}).map(([state, nodes]): Reading => [nodes, name, state]),
        ),
    },
  ],
};

/** Every metric of a controller. */
export const CONTROLLER_METRICS: readonly MetricGroup<ControllerView>[] = [
  CLUSTER_METRICS,
  WATCH_METRICS,
  PROCESS_METRICS,
];

/** Returns the pages of a controller. Its page and metrics are at most a second old. */
export function controllerRoutes(view: () => ControllerView, ending: AbortSignal, clock: Clock): Routes {
  return {
    "/": sharedRoute(clock, view, (current) => {
      const answer = boundedAnswers((isOff: boolean) => controllerPage(current, isOff), controllerLink);
      return (query) => answer(query.get("refresh") === "off");
    }),
    "/metrics": sharedRoute(clock, view, metricsRoute(CONTROLLER_METRICS)),
    // A controller has no cycles that could stop: an answer is enough.
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
  { title: "stale", kind: "number", cell: ({ status }) => status?.nodes.stale ?? 0 },
  {
    title: "Message",
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
  isOff: boolean,
): Answer {
  const empty = leading
    ? "No TelemetryConfig exists."
    : "Another controller is the leader. This one takes over when the leader stops.";
  return pageAnswer(
    {
      title: "Controller",
      verdict: leading ? chip("leader", "good") : chip("standby", "none"),
      subtitle: html`kubevirt-telemetry ${process.version}, up ${formatSpan(nowMs - process.startedMs)}, as ${identity}`,
      body: [tableSection("TelemetryConfigs", configs, COLUMNS, empty), ...watchSection(watches)],
    },
    { isOff, other: controllerLink(!isOff) },
  );
}

function controllerLink(isOff: boolean): string {
  return linkTo("/", { refresh: refreshSetting(isOff) });
}
