import { READ_MINUTES, type Asked } from "./rules.ts";

/** A query language -> the query of a rule: a number, `value`, for each set of values of its tags. */
export const QUERIES: Readonly<Record<"influxql" | "flux" | "sql", (asked: Asked) => string>> = { influxql, flux, sql };

const SERIES = ["VMID", "name", "uuid", "namespace", "node", "vcpu"];

function influxql({ measurement, field, as, word = "", divisor, by }: Asked): string {
  const recent = `time > now() - ${READ_MINUTES}m`;
  const from = `FROM "${measurement}" WHERE ${recent}`;
  const groupBy = `GROUP BY ${quoted(by)}`;
  switch (as) {
    case "rate":
      return `SELECT mean("rate")${quotient(divisor)} AS "value" FROM (SELECT non_negative_derivative("${field}", 1s) AS "rate" ${from} GROUP BY *) WHERE ${recent} ${groupBy}`;
    case "word":
      return `SELECT count("text") AS "value" FROM (SELECT last("${field}") AS "text" ${from} ${groupBy}) WHERE "text" = '${word}' ${groupBy}`;
    default:
      return `SELECT ${as}("${field}")${quotient(divisor)} AS "value" ${from} ${groupBy}`;
  }
}

function flux({ measurement, field, as, word = "", divisor, by }: Asked): string {
  const value = as === "word" ? `if r._value == "${word}" then 1.0 else 0.0` : `float(v: r._value)${quotient(divisor)}`;
  return [
    'from(bucket: "telemetry")',
    `range(start: -${READ_MINUTES}m)`,
    `filter(fn: (r) => r._measurement == "${measurement}" and r._field == "${field}")`,
    ...(as === "rate" ? ["derivative(unit: 1s, nonNegative: true)"] : []),
    `group(columns: ${JSON.stringify(by)})`,
    ...(as === "rate" || as === "mean" ? ["mean()"] : ['sort(columns: ["_time"])', "last()"]),
    `map(fn: (r) => ({r with _time: now(), _value: ${value}}))`,
    `keep(columns: ${JSON.stringify([...by, "_time", "_value"])})`,
  ].join("\n  |> ");
}

function sql({ measurement, field, as, word = "", divisor, by }: Asked): string {
  const where = `FROM "${measurement}"\nWHERE time > now() - interval '${READ_MINUTES} minutes' AND "${field}" IS NOT NULL`;
  const grouped = `GROUP BY ${quoted(by)}\nORDER BY ${quoted(by)}`;
  const last = `last_value("${field}" ORDER BY time)`;
  const value = {
    rate: `avg(rate)${quotient(divisor)}`,
    mean: `avg("${field}")${quotient(divisor)}`,
    last: `CAST(${last} AS DOUBLE)${quotient(divisor)}`,
    word: `CASE WHEN ${last} = '${word}' THEN 1.0 ELSE 0.0 END`,
  }[as];
  const select = `SELECT ${quoted(by)}, ${value} AS value`;
  if (as !== "rate") return `${select}\n${where}\n${grouped}`;
  const before = `lag("${field}") OVER series`;
  const seconds = "(CAST(time AS BIGINT) - CAST(lag(time) OVER series AS BIGINT)) / 1000000000.0";
  // No rate where a counter has restarted.
  return `${select}
FROM (
  SELECT ${quoted(by)}, CASE WHEN "${field}" >= ${before} THEN ("${field}" - ${before}) / (${seconds}) END AS rate
  ${where.replace("\n", "\n  ")}
  WINDOW series AS (PARTITION BY ${quoted(SERIES)} ORDER BY time)
)
${grouped}`;
}

function quotient(divisor: number | undefined): string {
  return divisor === undefined ? "" : ` / ${divisor.toFixed(1)}`;
}

function quoted(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(", ");
}
