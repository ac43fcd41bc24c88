import { datasource, type Source } from "./panel.ts";

/** Returns the first variable of every dashboard: the data source of all its queries. */
export function sourceVariable(type: Source["type"]): object {
  return { name: "datasource", label: "Data source", type: "datasource", query: type, refresh: 1 };
}

export interface QueryVariable {
  readonly name: string;
  readonly label: string;
  readonly query: string;
  /** Whether several values or all can be chosen. */
  readonly several?: true;
}

/** Returns a variable with the results of a query in the time shown. */
export function queryVariable(type: Source["type"], { name, label, query, several }: QueryVariable): object {
  return {
    name,
    label,
    type: "query",
    datasource: datasource(type),
    query,
    refresh: 2,
    sort: 1,
    ...(several === true && {
      multi: true,
      includeAll: true,
      // Lines without the tag are shown too.
      allValue: ".*",
      current: { text: ["All"], value: ["$__all"] },
    }),
  };
}

/** Returns a variable with fixed values; the first is the default. */
export function choice(name: string, label: string, description: string, values: readonly string[]): object {
  const options = values.map((value, index) => ({ text: value, value, selected: index === 0 }));
  return { name, label, description, type: "custom", query: values.join(","), options, current: options[0] };
}

export function textVariable(name: string, label: string, description: string): object {
  const current = { text: "", value: "" };
  return { name, label, description, type: "textbox", query: "", options: [{ ...current, selected: true }], current };
}

export const MIN_INTERVAL = choice(
  "min_interval",
  "At least every",
  "The shortest time between two points of a line. Use twice the collection's interval or more: a sum needs a sample of every VM.",
  ["10s", "30s", "1m", "2m", "5m", "10m"],
);
