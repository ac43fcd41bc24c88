/** A panel of a dashboard. `Asked` is the type of its queries. */
export interface Panel<Asked> {
  readonly title: string;
  /** What the numbers mean. */
  readonly description: string;
  /** An id of Grafana's list of units. */
  readonly unit: string;
  readonly kind: "series" | "stack" | "stat" | "table" | "states" | "word" | "words";
  /** Width in the 24 columns; by default that of its kind. */
  readonly width?: number;
  readonly asked: readonly Asked[];
  /** How a stat reduces its series to one number. */
  readonly calculation?: "mean" | "max" | "lastNotNull";
  /** Whether values may be below zero. */
  readonly signed?: true;
  /** Whether points are further apart than those of other panels, so that lines must connect them. */
  readonly sparse?: true;
  readonly decimals?: number;
  /** The lowest value of each colour; the first colour has no lower limit. */
  readonly steps?: readonly (readonly [from: number, color: string])[];
  readonly mappings?: readonly object[];
}

export interface Section<Asked> {
  readonly title: string;
  readonly panels: readonly Panel<Asked>[];
  /** Whether it needs a family that is off by default. It is shown closed, and asks the server only once it is opened. */
  readonly optional?: true;
}

/** The parts of a panel that depend on the data source. */
export interface Source {
  readonly type: "influxdb" | "prometheus";
  readonly targets: readonly object[];
  /** Names of series by their query, if the query cannot set them itself. */
  readonly names?: readonly string[];
  /** The link of a table's row. */
  readonly link?: string;
  /** Value mappings of a panel of texts, if its values are numbers. */
  readonly texts?: readonly object[];
}

/** Grafana's reference to the data source of a kind that is chosen at the top of the dashboard. */
export function datasource(type: Source["type"]): object {
  return { type, uid: "${datasource}" };
}

export const SIZES: Readonly<Record<Panel<unknown>["kind"], { readonly width: number; readonly height: number }>> = {
  stat: { width: 4, height: 4 },
  series: { width: 8, height: 8 },
  stack: { width: 12, height: 8 },
  table: { width: 8, height: 9 },
  states: { width: 24, height: 5 },
  word: { width: 4, height: 4 },
  words: { width: 8, height: 9 },
};

export function panelModel(panel: Panel<unknown>, source: Source): object {
  const { title, description, unit, kind, signed, sparse, decimals, steps = [[0, "blue"]] } = panel;
  const mappings = source.texts ?? panel.mappings;
  const isTable = TYPES[kind] === "table";
  return {
    title,
    description,
    type: TYPES[kind],
    datasource: datasource(source.type),
    // Sums and counts need a value of every series in every bucket of time.
    interval: "$min_interval",
    targets: source.targets.map((target, index) => ({
      refId: refId(index),
      datasource: datasource(source.type),
      ...target,
    })),
    fieldConfig: {
      defaults: {
        unit,
        ...(signed !== true && { min: 0 }),
        ...(decimals !== undefined && { decimals }),
        ...(mappings !== undefined && { mappings }),
        color: { mode: TYPES[kind] === "stat" || isTable ? "thresholds" : "palette-classic" },
        thresholds: {
          mode: "absolute",
          steps: steps.map(([value, color], index) => ({ color, value: index === 0 ? null : value })),
        },
        custom: custom(kind, steps.length > 1, sparse === true),
      },
      overrides: [...overrides(source), ...(isTable ? tableOverrides(panel, source) : [])],
    },
    options: options(panel, source),
    ...(isTable && { transformations: [withoutTime(source)] }),
  };
}

const TYPES: Readonly<Record<Panel<unknown>["kind"], string>> = {
  stat: "stat",
  series: "timeseries",
  stack: "timeseries",
  table: "table",
  states: "state-timeline",
  word: "stat",
  words: "table",
};

/** In a table of InfluxQL every row has the start of the time shown; in one of SQL and PromQL, the uuid. This hides them. */
function withoutTime(source: Source): object {
  return {
    id: "organize",
    options: {
      excludeByName: { Time: true, time: true, uuid: true },
      indexByName: { namespace: 0, name: 1, device: 2, [valueColumn(source)]: 3 },
    },
  };
}

function refId(index: number): string {
  return String.fromCharCode("A".charCodeAt(0) + index);
}

/** Milliseconds between two points that a line of a sparse panel connects: three times the interval of vCPUs. */
const SPARSE_MS = 90_000;

function custom(kind: Panel<unknown>["kind"], hasSteps: boolean, sparse: boolean): object {
  switch (kind) {
    case "series":
    case "stack":
      return {
        drawStyle: "line",
        lineWidth: 1,
        fillOpacity: kind === "stack" ? 25 : 5,
        showPoints: "auto",
        spanNulls: sparse && SPARSE_MS,
        stacking: { mode: kind === "stack" ? "normal" : "none", group: "A" },
        thresholdsStyle: { mode: hasSteps ? "dashed" : "off" },
      };
    case "states":
      return { fillOpacity: 70, lineWidth: 0 };
    default:
      return {};
  }
}

/** The column of a query's value: queries name it so, except those of Prometheus. */
function valueColumn({ type }: Source): string {
  return type === "prometheus" ? "Value" : "value";
}

function options({ kind, calculation = "lastNotNull" }: Panel<unknown>, source: Source): object {
  switch (kind) {
    case "stat":
      return {
        reduceOptions: { calcs: [calculation], fields: "", values: false },
        colorMode: "value",
        graphMode: "area",
        textMode: "value",
      };
    case "word":
      return {
        reduceOptions: { calcs: ["lastNotNull"], fields: `/^${valueColumn(source)}$/`, values: false },
        colorMode: "none",
        graphMode: "none",
        textMode: "value",
      };
    case "words":
      return { showHeader: true };
    case "table":
      return { showHeader: true, sortBy: [{ displayName: "Average", desc: true }] };
    case "states":
      return { mergeValues: true, showValue: "auto", legend: { showLegend: false }, tooltip: { mode: "single" } };
    default:
      return {
        legend: { displayMode: "table", placement: "bottom", showLegend: true, calcs: ["mean", "max", "lastNotNull"] },
        tooltip: { mode: "multi", sort: "desc" },
      };
  }
}

function overrides({ names = [] }: Source): object[] {
  return names.map((name, index) => ({
    matcher: { id: "byFrameRefID", options: refId(index) },
    properties: [{ id: "displayName", value: name }],
  }));
}

function tableOverrides({ title, kind }: Panel<unknown>, source: Source): object[] {
  const { link } = source;
  const column = (name: string, ...properties: object[]): object => ({
    matcher: { id: "byName", options: name },
    properties,
  });
  const links = link === undefined ? [] : [{ id: "links", value: [{ title: `Show: ${title}`, url: link }] }];
  return [
    column("namespace", { id: "displayName", value: "Namespace" }),
    column("name", { id: "displayName", value: "VM" }, ...links),
    column("device", { id: "displayName", value: "Disk" }),
    kind === "words"
      ? column(valueColumn(source), { id: "displayName", value: "Why" })
      : column(
          valueColumn(source),
          { id: "displayName", value: "Average" },
          { id: "custom.cellOptions", value: { type: "gauge", mode: "gradient" } },
        ),
  ];
}
