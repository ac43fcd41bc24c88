import type { Datafusion } from "./datafusion.ts";
import { MACROS, type Shown } from "./grafana.ts";
import type { Influxd2 } from "./influxd2.ts";

export type LanguageId = "influxql" | "flux" | "sql";

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
