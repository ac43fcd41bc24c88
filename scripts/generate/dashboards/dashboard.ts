import { SIZES, type Panel, type Section } from "./panel.ts";

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  /** Dashboards with the same tag link to each other. */
  readonly tag: string;
  readonly variables: readonly object[];
  readonly annotations?: readonly object[];
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
  const { uid, title, description, tag, variables, annotations = [], refresh } = dashboard;
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
    annotations: { list: annotations },
    templating: { list: variables },
    panels: laidOut(sections, model),
  });
}

/** Returns the sections with their positions, one below the other; panels fill rows from left to right. */
function laidOut<Asked>(sections: readonly Section<Asked>[], model: (panel: Panel<Asked>) => object): object[] {
  const placed: object[] = [];
  let y = 0;
  let id = 0;
  for (const { title, panels, optional } of sections) {
    const rowId = ++id;
    const gridPos = { x: 0, y, w: COLUMNS, h: 1 };
    const inside: object[] = [];
    let [x, top, lineHeight] = [0, y + 1, 0];
    for (const panel of panels) {
      const { width, height } = { ...SIZES[panel.kind], ...(panel.width !== undefined && { width: panel.width }) };
      if (x + width > COLUMNS) [x, top, lineHeight] = [0, top + lineHeight, 0];
      inside.push({ id: ++id, ...model(panel), gridPos: { x, y: top, w: width, h: height } });
      x += width;
      lineHeight = Math.max(lineHeight, height);
    }
    const isClosed = optional === true;
    const row = { id: rowId, type: "row", title, collapsed: isClosed, panels: isClosed ? inside : [], gridPos };
    // Grafana keeps the panels of a closed row inside of it, and makes room for them when it opens.
    placed.push(row, ...(isClosed ? [] : inside));
    y = isClosed ? y + 1 : top + lineHeight;
  }
  return placed;
}
