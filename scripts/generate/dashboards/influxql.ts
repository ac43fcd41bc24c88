import {
  columnOf,
  expression,
  fieldsOf,
  innerTags,
  legendOf,
  measurementName,
  rowTags,
  TOP,
  variable,
  VM_TAGS,
  type Filter,
  type Language,
  type Query,
} from "./query.ts";

/** InfluxDB 1, and the 1.x API of InfluxDB 2. */
export const INFLUXQL: Language = {
  id: "influxql",
  title: "InfluxQL",
  source: "influxdb",
  database: "InfluxDB",
  variables: [],
  namesSeries: true,
  series: (query, filters) => ({
    ...target(query.over === undefined ? averages(query, filters, "null") : combined(query, filters)),
    resultFormat: "time_series",
    alias: legendOf(query, (tag) => `$tag_${tag}`),
  }),
  top: (query, filters) => ({
    ...target(
      `SELECT top("value", ${TOP}) AS "value", ${tags(rowTags(query))} FROM (${select(query, filters)} GROUP BY ${tags(query.by)}) WHERE $timeFilter`,
    ),
    resultFormat: "table",
  }),
  text: (query, filters) => ({
    ...target(
      `SELECT "value" FROM (${select({ ...query, last: true }, filters)} GROUP BY ${tags(VM_TAGS)}) WHERE ${condition(query)} GROUP BY "namespace", "name"`,
    ),
    resultFormat: "table",
  }),
  events: (kind, filters) => ({
    ...target(
      `SELECT "count", "detail", "event", "name" FROM ${identifier(measurementName({ measurement: "vm_events" }))} WHERE ${[`"event" ${kind === "migrations" ? "=" : "!="} 'migration'`, ...conditions(filters), "$timeFilter"].join(" AND ")}`,
    ),
    // Grafana's own format of annotations in InfluxQL.
    fromAnnotations: true,
    textEditor: true,
    textColumn: "detail",
    tagsColumn: "event,name",
  }),
  tagValues: (tag, filters) =>
    ["SHOW TAG VALUES FROM", identifier(measurementName({ measurement: "vm_totals" })), `WITH KEY = "${tag}"`]
      .concat(filters.length > 0 ? ["WHERE", conditions(filters).join(" AND ")] : [])
      .join(" "),
};

/** InfluxDB 1 ignores a condition on the time in a query of the last values, so the inner query has it. */
function condition({ words }: Query): string {
  return words === undefined ? `"value" != ''` : `"value" =~ /^(${words.join("|")})$/`;
}

function target(query: string): object {
  return { rawQuery: true, query };
}

function combined(query: Query, filters: readonly Filter[]): string {
  return `SELECT ${query.over}("value") AS "value" FROM (${averages(query, filters, "none")}) WHERE $timeFilter ${groupBy(query.by, "null")}`;
}

function averages(query: Query, filters: readonly Filter[], fill: string): string {
  return `${select(query, filters)} ${groupBy(innerTags(query), fill)}`;
}

function select(query: Query, filters: readonly Filter[]): string {
  const average = query.last === true ? "last" : "mean";
  const value = expression(query, (field) => `${average}("${columnOf(field)}")`);
  return `SELECT ${value} AS "value" FROM ${sources(query, filters)}`;
}

/** A rate needs two points of one series, so it comes before averages and groups. */
function sources(query: Query, filters: readonly Filter[]): string {
  const [rates, levels] = [true, false].map((isRate) => fieldsOf(query).filter((field) => field.isRate === isRate));
  const from = lines(query, filters);
  if (rates === undefined || rates.length === 0) return from;
  const derived = rates.map((field) => `non_negative_derivative("${field.name}", 1s) AS "${columnOf(field)}"`);
  const kept = (levels ?? []).map(({ name }) => `"${name}"`);
  const parts = [derived, kept].filter((columns) => columns.length > 0);
  return `${parts.map((columns) => `(SELECT ${columns.join(", ")} FROM ${from} GROUP BY *)`).join(", ")} WHERE $timeFilter`;
}

function lines(query: Query, filters: readonly Filter[]): string {
  const device = query.devtype === undefined ? [] : [`"devtype" = '${query.devtype}'`];
  return `${identifier(measurementName(query))} WHERE ${[...device, ...conditions(filters), "$timeFilter"].join(" AND ")}`;
}

/** In a series without the tag, its value is empty. */
function conditions(filters: readonly Filter[]): string[] {
  return filters.map(({ tag, variable: name, several }) =>
    several === true ? `"${tag}" =~ /^${variable(name, "regex")}$/` : `"${tag}" = ${variable(name, "singlequote")}`,
  );
}

function groupBy(by: readonly string[], fill: string): string {
  return `GROUP BY ${["time($__interval)", ...(by.length > 0 ? [tags(by)] : [])].join(", ")} fill(${fill})`;
}

function tags(names: readonly string[]): string {
  return names.map(identifier).join(", ");
}

function identifier(name: string): string {
  return `"${name}"`;
}
