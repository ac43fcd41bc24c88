import {
  columnOf,
  expression,
  fieldsOf,
  innerTags,
  measurementName,
  rowTags,
  seriesTags,
  TOP,
  variable,
  VM_TAGS,
  type EventKind,
  type Filter,
  type Language,
  type Query,
} from "./query.ts";

/** InfluxDB 3. */
export const SQL: Language = {
  id: "sql",
  title: "SQL",
  source: "influxdb",
  database: "InfluxDB",
  variables: [],
  series: (query, filters) => ({
    ...target(query.over === undefined ? averages(query, filters) : combined(query, filters)),
    format: "time_series",
  }),
  top: (query, filters) => ({ ...target(highest(query, filters)), format: "table" }),
  text: (query, filters) => ({ ...target(lastTexts(query, filters)), format: "table" }),
  events: (kind, filters) => {
    const asked = events(kind, filters);
    // Without a `query`, Grafana takes an annotation for one of an old version and empties it.
    return { ...target(asked), format: "table", query: asked };
  },
  tagValues: (tag, filters) =>
    `SELECT DISTINCT "${tag}" FROM ${columns([measurementName({ measurement: "vm_totals" })])}
WHERE ${["$__timeFilter(time)", `"${tag}" IS NOT NULL`, ...conditions(filters)].join(" AND ")}
ORDER BY 1`,
};

function target(rawSql: string): object {
  return { rawQuery: true, editorMode: "code", rawSql };
}

function averages(query: Query, filters: readonly Filter[]): string {
  return `${select(query, filters, ["$__dateBin(time) AS time"], innerTags(query))}
ORDER BY 1`;
}

function combined(query: Query, filters: readonly Filter[]): string {
  const key = columns(["time", ...query.by]);
  return `SELECT ${key}, ${query.over}(value) AS value
FROM (
${indent(select(query, filters, ["$__dateBin(time) AS time"], innerTags(query)))}
)
GROUP BY ${key}
ORDER BY 1`;
}

function highest(query: Query, filters: readonly Filter[]): string {
  return `${select(query, filters, [], query.by)}
ORDER BY value DESC NULLS LAST
LIMIT ${TOP}`;
}

function lastTexts(query: Query, filters: readonly Filter[]): string {
  const words = query.words?.map((word) => `'${word}'`).join(", ");
  return `SELECT ${columns(rowTags({ ...query, by: VM_TAGS }))}, value
FROM (
${indent(select({ ...query, last: true }, filters, [], VM_TAGS))}
)${words === undefined ? "" : `\nWHERE value IN (${words})`}
ORDER BY 1, 2`;
}

function events(kind: EventKind, filters: readonly Filter[]): string {
  const isWanted = `"event" ${kind === "migrations" ? "=" : "<>"} 'migration'`;
  return `SELECT time, concat_ws(': ', "event", "detail") AS text, "name" AS tags
FROM ${columns([measurementName({ measurement: "vm_events" })])}
WHERE ${["$__timeFilter(time)", isWanted, ...conditions(filters)].join(" AND ")}
ORDER BY time`;
}

function select(query: Query, filters: readonly Filter[], first: readonly string[], by: readonly string[]): string {
  const value = expression(query, (field) => average(columnOf(field), query.last));
  const key = by.length > 0 ? [columns(by)] : [];
  return `SELECT ${[...first, ...key, `${value} AS value`].join(", ")}
FROM (
${indent(points(query, filters, by))}
)
GROUP BY ${[...first.map((_, index) => String(index + 1)), ...key].join(", ")}`;
}

function average(column: string, last: Query["last"]): string {
  return last === true ? `last_value("${column}" ORDER BY time)` : `avg("${column}")`;
}

/** A rate needs two points of one series, so it comes before averages and groups. */
function points(query: Query, filters: readonly Filter[], by: readonly string[]): string {
  const fields = fieldsOf(query);
  const device = query.devtype === undefined ? [] : [`"devtype" = '${query.devtype}'`];
  const values = fields.map((field) =>
    field.isRate ? `${rate(field.name)} AS "${columnOf(field)}"` : `"${field.name}"`,
  );
  const window = fields.some(({ isRate }) => isRate)
    ? [`WINDOW series AS (PARTITION BY ${columns(seriesTags(query))} ORDER BY time)`]
    : [];
  return [
    `SELECT ${columns(["time", ...by])},\n  ${values.join(",\n  ")}`,
    `FROM ${columns([measurementName(query)])}`,
    `WHERE ${["$__timeFilter(time)", ...device, ...conditions(filters)].join(" AND ")}`,
    ...window,
  ].join("\n");
}

/** No rate where a counter has restarted: its growth in between is unknown. */
function rate(field: string): string {
  const [now, before] = [`"${field}"`, `lag("${field}") OVER series`];
  const seconds = "(CAST(time AS BIGINT) - CAST(lag(time) OVER series AS BIGINT)) / 1000000000.0";
  return `CASE WHEN ${now} >= ${before} THEN (${now} - ${before}) / (${seconds}) END`;
}

function conditions(filters: readonly Filter[]): string[] {
  return filters.map(({ tag, variable: name, several }) =>
    several === true
      ? `coalesce("${tag}", '') ~ '^${variable(name, "regex")}$'`
      : `"${tag}" = ${variable(name, "sqlstring")}`,
  );
}

function columns(names: readonly string[]): string {
  return names.map((name) => (name === "time" ? name : `"${name}"`)).join(", ");
}

function indent(text: string): string {
  return text.replace(/^/gm, "  ");
}
