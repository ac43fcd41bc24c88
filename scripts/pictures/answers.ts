import type { AnsweredPanel, Mark, PanelModel, Series } from "./panel-model.ts";
import { colorOf } from "./panel-model.ts";
import type { AnswerRow, Server } from "../../test/integration/support/dashboard-servers.ts";
import {
  askedBy,
  interpolate,
  panelsOf,
  type Choices,
  type GrafanaDashboard,
  type Shown,
  type Target,
} from "../../test/integration/support/grafana.ts";

/** More series are left out of a chart. */
const MAX_SERIES = 100;

/** A dashboard with the answers to all its queries, also those of closed rows. */
export interface AnsweredDashboard {
  readonly dashboard: GrafanaDashboard;
  readonly shown: Shown;
  /** What is chosen at the top, in words. */
  readonly chosen: readonly string[];
  /** By the id of the panel. */
  readonly panels: ReadonlyMap<number, AnsweredPanel>;
  readonly marks: readonly Mark[];
}

/** Asks a server all queries of a dashboard, with its annotations turned on. */
export async function answer(
  dashboard: GrafanaDashboard,
  choices: Choices,
  shown: Shown,
  server: Server,
): Promise<AnsweredDashboard> {
  const panels = new Map<number, AnsweredPanel>();
  const ask = (target: Target): Promise<readonly AnswerRow[]> =>
    server.ask(interpolate(askedBy(target), choices), shown);
  for (const panel of panelsOf(dashboard)) {
    const { targets = [] } = panel;
    const answers: (readonly AnswerRow[])[] = [];
    for (const target of targets) answers.push(await ask(target));
    const series = answers.flatMap((rows, index) => seriesOf(rows, targets[index]));
    panels.set(panel.id, { panel: panel as PanelModel, series: series.slice(0, MAX_SERIES), rows: answers.flat() });
  }
  const marks: Mark[] = [];
  for (const { iconColor, target } of dashboard.annotations.list)
    for (const { time } of await ask(target)) marks.push({ timeMs: Number(time), color: colorOf(iconColor) });
  return { dashboard, shown, chosen: chosenIn(dashboard, choices), panels, marks };
}

/** Returns the label and the choice of each variable that chooses VMs or agents. */
function chosenIn({ templating }: GrafanaDashboard, choices: Choices): string[] {
  return templating.list.flatMap(({ name, type, label }) => {
    const chosen = [choices[name] ?? ""].flat().join(", ");
    return type === "query" && name !== "bucket" ? [`${String(label)}: ${chosen === ".*" ? "all" : chosen}`] : [];
  });
}

/** Returns the rows of a query as series, one for each combination of tags. */
function seriesOf(rows: readonly AnswerRow[], target: Target | undefined): Series[] {
  const series = new Map<string, { name: string; points: [number, number | null][] }>();
  for (const { time, value, ...tags } of rows) {
    if (time === undefined || typeof value === "string") continue;
    const key = JSON.stringify(tags);
    const one = series.get(key) ?? { name: nameOf(tags, target), points: [] };
    series.set(key, one);
    one.points.push([Number(time), value ?? null]);
  }
  return [...series.values()];
}

/** Returns the name in the legend: the alias of a query of InfluxQL, or the format of one of PromQL, with the values of tags. */
function nameOf(tags: AnswerRow, target: Target | undefined): string {
  const alias = target?.["alias"] ?? target?.["legendFormat"];
  return (typeof alias === "string" ? alias : "")
    .replace(/\$tag_(\w+)|\{\{(\w+)\}\}/g, (_, influxql?: string, promql?: string) =>
      String(tags[influxql ?? promql ?? ""] ?? ""),
    )
    .trim();
}
