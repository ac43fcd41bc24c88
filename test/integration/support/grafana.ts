import { readFileSync } from "node:fs";

// Expands a query as Grafana does before it sends it: first its variables, then the macros of the data source.

export interface Target {
  readonly refId: string;
  readonly query?: string;
  readonly rawSql?: string;
  readonly expr?: string;
  readonly [field: string]: unknown;
}

/** A panel, or a row; a closed row has its panels inside. */
export interface GrafanaPanel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly Target[];
  readonly panels?: readonly GrafanaPanel[];
  readonly [field: string]: unknown;
}

interface GrafanaVariable {
  readonly name: string;
  readonly type: string;
  readonly query: string;
  readonly [field: string]: unknown;
}

export interface GrafanaDashboard {
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly GrafanaPanel[];
  readonly annotations: {
    readonly list: readonly {
      readonly name: string;
      readonly enable: boolean;
      readonly iconColor: string;
      readonly target: Target;
    }[];
  };
  readonly templating: { readonly list: readonly GrafanaVariable[] };
  readonly [field: string]: unknown;
}

/** Variable -> choice; an array for a variable with several values. `.*` means all. */
export type Choices = Readonly<Record<string, string | readonly string[]>>;

/** The time shown, and its buckets. */
export interface Shown {
  readonly fromMs: number;
  readonly toMs: number;
  readonly intervalS: number;
}

export function readDashboard(file: string): GrafanaDashboard {
  return JSON.parse(readFileSync(file, "utf8")) as GrafanaDashboard;
}

/** Returns the panels of a dashboard without the rows, and with those of closed rows. */
export function panelsOf({ panels }: GrafanaDashboard): readonly GrafanaPanel[] {
  return panels.flatMap((panel) => (panel.type === "row" ? (panel.panels ?? []) : [panel]));
}

/** Returns the query text of a target of any data source. */
export function askedBy(target: Target): string {
  return target.query ?? target.rawSql ?? target.expr ?? "";
}

const FORMATS: Readonly<Record<string, (values: readonly string[]) => string>> = {
  regex: (values) => alternatives(values.map((value) => (value === ".*" ? value : escaped(value)))),
  singlequote: (values) => values.map((value) => `'${value.replaceAll("'", "\\'")}'`).join(","),
  sqlstring: (values) => values.map((value) => `'${value.replaceAll("'", "''")}'`).join(","),
};

/** Replaces `${name}`, `${name:format}` and `$name`; unknown names stay unchanged. */
export function interpolate(text: string, choices: Choices): string {
  return text.replace(/\$\{(\w+)(?::(\w+))?\}|\$(\w+)/g, (whole, braced?: string, format?: string, bare?: string) => {
    const chosen = choices[braced ?? bare ?? ""];
    if (chosen === undefined) return whole;
    const write = format === undefined ? alternatives : FORMATS[format];
    if (write === undefined) throw new Error(`the format ${format} is not known here`);
    return write([chosen].flat());
  });
}

export const MACROS: Readonly<Record<"influxql" | "flux" | "sql" | "promql", (text: string, shown: Shown) => string>> =
  {
    influxql: (text, { fromMs, toMs, intervalS }) =>
      text
        .replaceAll("$timeFilter", `time >= ${fromMs}ms and time <= ${toMs}ms`)
        .replaceAll("$__interval_ms", String(intervalS * 1000))
        .replaceAll("$__interval", `${intervalS}s`),
    flux: (text, { fromMs, toMs, intervalS }) =>
      text
        .replaceAll("v.timeRangeStart", iso(fromMs))
        .replaceAll("v.timeRangeStop", iso(toMs))
        .replaceAll("v.windowPeriod", `${intervalS}s`),
    sql: (text, { fromMs, toMs, intervalS }) =>
      text
        .replace(/\$__timeFilter\((\w+)\)/g, `$1 >= '${iso(fromMs)}' AND $1 <= '${iso(toMs)}'`)
        .replace(
          /\$__dateBin\((\w+)\)/g,
          `date_bin(interval '${intervalS} second', $1, timestamp '1970-01-01T00:00:00Z')`,
        ),
    promql: (text, { fromMs, toMs, intervalS }) =>
      text
        .replaceAll("$__rate_interval", `${4 * intervalS}s`)
        .replaceAll("$__interval", `${intervalS}s`)
        .replaceAll("$__range", `${Math.ceil((toMs - fromMs) / 1000)}s`),
  };

function alternatives(values: readonly string[]): string {
  return values.length === 1 ? (values[0] ?? "") : `(${values.join("|")})`;
}

function escaped(value: string): string {
  return value.replace(/[\\^$*+?.()|[\]{}/]/g, "\\$&");
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
