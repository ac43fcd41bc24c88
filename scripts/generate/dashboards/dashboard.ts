import { SIZES, type Panel, type Section } from "./panel.ts";

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  /** Dashboards with the same tag link to each other. */
  readonly tag: string;
  readonly variables: readonly object[];
  readonly refresh: string;
}

/** Grafana's schema version of the JSON. */
const SCHEMA_VERSION = 42;
const COLUMNS = 24;

/** Returns the JSON that Grafana imports. */
export function dashboardModel<Asked>(
  dashboard: Dashboard,
  sections: readonly Section<Asked>[],
  model: (panel: Panel<Asked>) => object,
): string {
  const { uid, title, description, tag, variables, refresh } = dashboard;
  return JSON.stringify({
    uid,
    title,
    description,
    tags: ["kubevirt-telemetry", tag],
    schemaVersion: SCHEMA_VERSION,
    editable: true,
    graphTooltip: 1,
    time: { from: "now-1h", to: "now" },
    refresh,
    links: [
      {
        title: "Dashboards",
        type: "dashboards",
        tags: [tag],
        icon: "external link",
        tooltip: "",
        asDropdown: true,
        targetBlank: false,
        includeVars: true,
        keepTime: true,
      },
    ],
    annotations: { list: [] },
    templating: { list: variables },
    panels: laidOut(sections, model),
  });
}

/** Returns the sections with their positions, one below the other; panels fill rows from left to right. */
function laidOut<Asked>(sections: readonly Section<Asked>[], model: (panel: Panel<Asked>) => object): object[] {
  const placed: object[] = [];
  let y = 0;
  for (const { title, panels } of sections) {
    placed.push({
      id: placed.length + 1,
      type: "row",
      title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y, w: COLUMNS, h: 1 },
    });
    y += 1;
    let [x, lineHeight] = [0, 0];
    for (const panel of panels) {
      const { width, height } = { ...SIZES[panel.kind], ...(panel.width !== undefined && { width: panel.width }) };
      if (x + width > COLUMNS) [x, y, lineHeight] = [0, y + lineHeight, 0];
      placed.push({ id: placed.length + 1, ...model(panel), gridPos: { x, y, w: width, h: height } });
      x += width;
      lineHeight = Math.max(lineHeight, height);
    }
    y += lineHeight;
  }
  return placed;
}
