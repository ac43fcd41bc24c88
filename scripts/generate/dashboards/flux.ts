import {
  expression,
  fieldsOf,
  innerTags,
  measurementName,
  rowTags,
  TOP,
  variable,
  VM_TAGS,
  type Field,
  type Filter,
  type Language,
  type Query,
} from "./query.ts";

/** Windows need the bounds of the whole time to fill gaps. */
const BOUNDS = ["_start", "_stop"];

/** InfluxDB 2. */
export const FLUX: Language = {
  id: "flux",
  title: "Flux",
  source: "influxdb",
  database: "InfluxDB",
  variables: [
    {
      name: "bucket",
      label: "Bucket",
      type: "query",
      query:
        'buckets() |> filter(fn: (r) => r.name !~ /^_/) |> rename(columns: {name: "_value"}) |> keep(columns: ["_value"])',
    },
  ],
  linked: ["bucket"],
  series: (query, filters) => ({
    query: query.over === undefined ? averages(query, filters) : combined(query, filters),
  }),
  top: (query, filters) => ({ query: highest(query, filters) }),
  text: (query, filters) => ({ query: lastTexts(query, filters) }),
  events: (kind, filters) => ({
    query: pipe(
      ...bucket(),
      `filter(fn: (r) => ${conditions("vm_events", filters)} and r.event ${kind === "migrations" ? "==" : "!="} "migration")`,
      'pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")',
      "group()",
      'map(fn: (r) => ({_time: r._time, text: if exists r.detail then r.event + ": " + r.detail else r.event, tags: r.name}))',
    ),
  }),
  tagValues: (tag, filters) => `import "influxdata/influxdb/schema"

schema.tagValues(
  bucket: "${variable("bucket")}",
  tag: "${tag}",
  predicate: (r) => ${conditions("vm_totals", filters)},
  start: v.timeRangeStart,
  stop: v.timeRangeStop,
)`,
};

function averages(query: Query, filters: readonly Filter[]): string {
  return pipe(...windowed(query, filters, true), keep(["_time", "_value", ...query.by]));
}

function combined(query: Query, filters: readonly Filter[]): string {
  return pipe(
    ...windowed(query, filters, false),
    group([...BOUNDS, ...query.by]),
    window(query.over ?? "sum", true),
    keep(["_time", "_value", ...query.by]),
  );
}

function windowed(query: Query, filters: readonly Filter[], createEmpty: boolean): string[] {
  return [
    ...points(query, filters),
    group([...BOUNDS, "_field", ...innerTags(query)]),
    window(query.last === true ? "last" : "mean", createEmpty),
    ...calculated(query, ['pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")']),
  ];
}

function highest(query: Query, filters: readonly Filter[]): string {
  const shown = rowTags(query);
  return pipe(
    ...points(query, filters),
    group(["_field", ...query.by]),
    "mean()",
    // A missing tag can be a key of a group, but not of rows.
    ...calculated(query, [group(shown), 'pivot(rowKey: ["uuid"], columnKey: ["_field"], valueColumn: "_value")']),
    "group()",
    `top(n: ${TOP})`,
    keep([...shown, "_value"]),
    'rename(columns: {_value: "value"})',
  );
}

function lastTexts(query: Query, filters: readonly Filter[]): string {
  const words = query.words?.map((word) => `r._value == "${word}"`).join(" or ");
  return pipe(
    ...source(query, filters),
    only(fieldsOf(query)),
    group(VM_TAGS),
    'sort(columns: ["_time"])',
    "last()",
    ...(words === undefined ? [] : [`filter(fn: (r) => ${words})`]),
    "group()",
    keep(["namespace", "name", "_value"]),
    'rename(columns: {_value: "value"})',
  );
}

function bucket(): string[] {
  return [`from(bucket: "${variable("bucket")}")`, "range(start: v.timeRangeStart, stop: v.timeRangeStop)"];
}

function source(query: Query, filters: readonly Filter[]): string[] {
  return [...bucket(), `filter(fn: (r) => ${conditions(query.measurement, filters, query.devtype)})`];
}

/** A rate needs two points of one series, so it comes before averages and groups. */
function points(query: Query, filters: readonly Filter[]): string[] {
  const fields = fieldsOf(query);
  const from = source(query, filters);
  const [rates, levels] = [fields.filter(({ isRate }) => isRate), fields.filter(({ isRate }) => !isRate)];
  const rate = "derivative(unit: 1s, nonNegative: true)";
  if (levels.length === 0) return [...from, only(rates), rate];
  if (rates.length === 0) return [...from, only(levels), "toFloat()"];
  return [
    `data = ${pipe(...from)}\nrates = ${pipe("data", only(rates), rate)}\nlevels = ${pipe("data", only(levels), "toFloat()")}\n\nunion(tables: [rates, levels])`,
  ];
}

/** An expression with one field uses `_value`. Several fields must be in one row first. */
function calculated(query: Query, toRows: readonly string[]): string[] {
  const isOne = fieldsOf(query).length === 1;
  const value = expression(query, ({ name }) => (isOne ? "r._value" : `r.${name}`));
  if (value === "r._value") return [];
  return [...(isOne ? [] : toRows), `map(fn: (r) => ({r with _value: ${value}}))`];
}

/** A missing tag matches a regular expression as an empty text, but equals no value. */
function conditions(measurement: Query["measurement"], filters: readonly Filter[], devtype?: string): string {
  return [
    `r._measurement == "${measurementName({ measurement })}"`,
    ...(devtype === undefined ? [] : [`r.devtype == "${devtype}"`]),
    ...filters.map(({ tag, variable: name }) => `r.${tag} =~ /^${variable(name, "regex")}$/`),
  ].join(" and ");
}

function only(fields: readonly Field[]): string {
  return `filter(fn: (r) => ${fields.map(({ name }) => `r._field == "${name}"`).join(" or ")})`;
}

function window(fn: string, createEmpty: boolean): string {
  return `aggregateWindow(every: v.windowPeriod, fn: ${fn}, createEmpty: ${createEmpty}, timeSrc: "_start")`;
}

function group(columns: readonly string[]): string {
  return `group(columns: ${JSON.stringify(columns)})`;
}

function keep(columns: readonly string[]): string {
  return `keep(columns: ${JSON.stringify(columns)})`;
}

function pipe(...steps: readonly string[]): string {
  return steps.join("\n  |> ");
}
