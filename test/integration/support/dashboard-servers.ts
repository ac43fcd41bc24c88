import type { Datafusion } from "./datafusion.ts";
import { MACROS, type Shown } from "./grafana.ts";
import type { Influxd2 } from "./influxd2.ts";
import type { ServerProcess } from "./server-process.ts";

export type LanguageId = "influxql" | "flux" | "sql" | "promql";

/** A row of an answer: tags, `value`, and `time` in milliseconds where there is one. */
export type AnswerRow = Readonly<Record<string, string | number | null>>;

/** A server for the queries of a dashboard; its answers have the form in which Grafana reads them. */
export interface Server {
  ask(query: string, shown: Shown): Promise<readonly AnswerRow[]>;
}

/** Columns of Flux that are not labels in Grafana. */
const FLUX_OWN = ["", "result", "table", "_start", "_stop", "_field", "_measurement"];
/** The Arrow types that Grafana reads; it ignores others. */
const READABLE = /^(timestamp\[ns\]|double|u?int64|string|dictionary<values=string, indices=int32, ordered=0>)$/;

/** The longest time of a query. */
const TIMEOUT_MS = 60_000;

/** Queries `/query` of InfluxDB 1 and 2. */
interface Database {
  readonly url: string;
  readonly database: string;
  readonly token?: string;
}

export function influxqlServer(server: Database): Server {
  return {
    ask: (query, shown) => influxql(server, MACROS.influxql(query, shown)),
  };
}

export function fluxServer(server: Influxd2): Server {
  return {
    async ask(query, shown) {
      const rows = await server.flux(MACROS.flux(query, shown));
      return rows.map((row) =>
        Object.fromEntries(
          Object.entries(row)
            .filter(([column]) => !FLUX_OWN.includes(column))
            .map(([column, value]) => {
              if (column === "_time") return ["time", Date.parse(value)];
              const isValue = column === "_value" || column === "value";
              return [isValue ? "value" : column, isValue ? numberOrText(value) : value];
            }),
        ),
      );
    },
  };
}

export function sqlServer(engine: Datafusion): Server {
  return {
    async ask(query, shown) {
      const { types, rows } = await engine.query(MACROS.sql(query, shown));
      for (const [column, type] of Object.entries(types))
        if (!READABLE.test(type)) throw new Error(`Grafana cannot read ${column}, which is ${type}`);
      return rows;
    },
  };
}

interface PromAnswer {
  readonly data: readonly string[] | { readonly result: readonly PromResult[] };
}

interface PromResult {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: PromPoint;
  readonly values?: readonly PromPoint[];
}

/** Seconds and a number as text. */
type PromPoint = readonly [time: number, value: string];

/** Asks a Prometheus, or a server with its API, as Grafana does: a table for one time, a chart for the steps between two times. */
export function promqlServer(server: ServerProcess): Server {
  const ask = async (path: string, parameters: Readonly<Record<string, string>>): Promise<PromAnswer["data"]> => {
    const query = new URLSearchParams(parameters).toString();
    return (JSON.parse(await server.ask(`/api/v1/${path}?${query}`)) as PromAnswer).data;
  };
  const rows = (data: PromAnswer["data"], shiftMs: number): AnswerRow[] =>
    "result" in data
      ? data.result.flatMap(({ metric, value, values = value === undefined ? [] : [value] }) =>
          values.map(([time, text]) => ({ ...metric, time: time * 1000 - shiftMs, value: Number(text) })),
        )
      : data.map((value) => ({ value }));
  return {
    async ask(query, shown) {
      const [, series, label] = /^label_values\((.*), (\w+)\)$/.exec(query) ?? [];
      const { fromMs, toMs, intervalS } = shown;
      if (series !== undefined)
        return rows(
          await ask(`label/${label}/values`, { "match[]": series, start: seconds(fromMs), end: seconds(toMs) }),
          0,
        );
      const text = MACROS.promql(query, shown);
      if (query.includes("$__range")) return rows(await ask("query", { query: text, time: seconds(toMs) }), 0);
      // The steps are multiples of their length. A value is about the bucket that ends at its time.
      const [start, end] = [fromMs, toMs].map((ms) => String((Math.floor(ms / 1000 / intervalS) + 1) * intervalS)) as [
        string,
        string,
      ];
      return rows(await ask("query_range", { query: text, start, end, step: String(intervalS) }), intervalS * 1000);
    },
  };
}

function seconds(ms: number): string {
  return String(ms / 1000);
}

interface InfluxqlAnswer {
  readonly results: readonly {
    readonly error?: string;
    readonly series?: readonly {
      readonly tags?: Readonly<Record<string, string>>;
      readonly columns: readonly string[];
      readonly values: readonly (readonly (string | number | null)[])[];
    }[];
  }[];
}

async function influxql({ url, database, token }: Database, q: string): Promise<AnswerRow[]> {
  const response = await fetch(`${url}/query`, {
    method: "POST",
    headers: token === undefined ? {} : { authorization: `Token ${token}` },
    body: new URLSearchParams({ db: database, epoch: "ms", q }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`InfluxDB answered ${response.status}: ${text}`);
  return (JSON.parse(text) as InfluxqlAnswer).results.flatMap(({ error, series = [] }) => {
    if (error !== undefined) throw new Error(`InfluxDB: ${error}`);
    return series.flatMap(({ tags, columns, values }) =>
      values.map((row) => ({
        ...tags,
        ...Object.fromEntries(columns.map((name, index) => [name, row[index] ?? null])),
      })),
    );
  });
}

function numberOrText(value: string): string | number | null {
  if (value === "") return null;
  return Number.isNaN(Number(value)) ? value : Number(value);
}
