import { REASONS } from "../../../src/collection/state-reason.ts";
import {
  expression,
  innerTags,
  legendOf,
  measurementName,
  TOP,
  variable,
  VM_TAGS,
  type EventKind,
  type Field,
  type Filter,
  type Language,
  type Query,
} from "./query.ts";
import { queryVariable } from "./variables.ts";

/** Windows of a panel over time, which do not overlap, and the one of a table. */
const BUCKET = "$__interval";
const SHOWN = "$__range";

/** VictoriaMetrics has no databases: the name of one is a label, which lines of the API of InfluxDB 2 lack. */
const DATABASE: Filter = { tag: "db", variable: "db", several: true };
const PAUSED = 3;

/** Settings of Grafana's queries: its other editor does not know the functions. */
const CHART = { range: true, instant: false, editorMode: "code" };
const TABLE = { range: false, instant: true, editorMode: "code", format: "table" };

/**
 * VictoriaMetrics, with functions that only its MetricsQL has. `rate` would count all of a counter again after it has fallen, but a
 * VM's total also falls when a disk is unplugged.
 */
export const PROMQL: Language = {
  id: "promql",
  title: "PromQL",
  source: "prometheus",
  database: "VictoriaMetrics",
  variables: [
    queryVariable("prometheus", { name: DATABASE.variable, label: "Database", query: values("db", []), several: true }),
  ],
  linked: [DATABASE.variable],
  namesSeries: true,
  // VictoriaMetrics stores no texts.
  texts: reasons(),
  annotation: { useValueForTime: true, textFormat: "{{event}}", tagKeys: "name" },
  series: (query, filters) => ({
    expr:
      query.over === undefined
        ? value(query, filters, BUCKET)
        : `${query.over}${grouped(query.by)} (\n${indent(value(query, filters, BUCKET))}\n)`,
    legendFormat: legendOf(query, (tag) => `{{${tag}}}`),
    ...CHART,
  }),
  top: (query, filters) => table(`sort_desc(topk(${TOP},\n${indent(value(query, filters, SHOWN))}\n))`),
  text: (query, filters) => table(lastReasons(query, filters)),
  events: (kind, filters) => ({
    // The time of an event in milliseconds is its value: points only have the times of the steps.
    expr: `max${grouped(["namespace", "name", "event"])} (${over("tlast_over_time", events(filters, kind), BUCKET)}) * 1000`,
    ...CHART,
  }),
  tagValues: (tag, filters) => values(tag, [DATABASE, ...filters]),
};

function table(expr: string): object {
  return { expr, ...TABLE };
}

/** Each line of `vm_totals` has this field. */
function values(tag: string, filters: readonly Filter[]): string {
  return `label_values(${selector("vm_totals", "cpus", filters)}, ${tag})`;
}

function value(query: Query, filters: readonly Filter[], range: string): string {
  return expression(query, (field) => average(query, field, filters, range));
}

/** Returns the average over the points of all series of a group, so that a VM which migrates counts once. */
function average(query: Query, { name, isRate }: Field, filters: readonly Filter[], range: string): string {
  const by = innerTags(query);
  const device = query.devtype === undefined ? [] : [`devtype="${query.devtype}"`];
  const series = selector(query.measurement, name, [DATABASE, ...filters], device);
  if (query.last === true) return newest(over("last_over_time", series, range), series, by, range);
  return isRate
    ? quotient(by, over("ascent_over_time", series, range), seconds(series, range))
    : quotient(by, over("sum_over_time", series, range), over("count_over_time", series, range));
}

/** Returns the time over which a counter grew: not that between two points of which the second is lower. */
function seconds(series: string, range: string): string {
  const [all, falls, each] = ["lifetime", "decreases_over_time", "scrape_interval"].map((fn) =>
    over(fn, series, range),
  );
  return `${all} - ${falls} * ${each}`;
}

/** Returns the values of the series with the newest point of each group. */
function newest(last: string, series: string, by: readonly string[], range: string): string {
  const time = over("tlast_over_time", series, range);
  return `max${grouped(by)} (\n  ${last}\n  and\n  ${time} == on (${by.join(", ")}) group_left () max${grouped(by)} (${time})\n)`;
}

/** A reason's number depends on the state, so a number of both stands for it. */
function lastReasons(query: Query, filters: readonly Filter[]): string {
  const state = selector("vm_totals", "state", [DATABASE, ...filters]);
  const reason = selector(query.measurement, "reason_code", [DATABASE, ...filters]);
  const both = `${over("last_over_time", state, SHOWN)} * 100 + ${over("last_over_time", reason, SHOWN)}`;
  return newest(both, reason, VM_TAGS, SHOWN) + only(query);
}

/** Leaves out all reasons of a paused VM that are known and not wanted: a newer libvirt may have others. */
function only({ words }: Query): string {
  if (words === undefined) return "";
  const unwanted = (REASONS[PAUSED] ?? []).flatMap((word, index) =>
    words.includes(word) ? [] : [` != ${code(PAUSED, index)}`],
  );
  return ` >= ${code(PAUSED, 0)} < ${code(PAUSED + 1, 0)}${unwanted.join("")}`;
}

function code(state: number, reason: number): number {
  return state * 100 + reason;
}

/** Returns Grafana's mapping from the numbers of reasons to their words. */
function reasons(): readonly object[] {
  const words = REASONS.flatMap((each, state) => each.map((text, reason) => [code(state, reason), { text }] as const));
  return [
    { type: "value", options: Object.fromEntries(words) },
    { type: "range", options: { from: 0, to: code(REASONS.length, 0) - 1, result: { text: "unknown" } } },
  ];
}

function events(filters: readonly Filter[], kind: EventKind): string {
  const wanted = `event${kind === "migrations" ? "=" : "!="}"migration"`;
  return selector("vm_events", "count", [DATABASE, ...filters], [wanted]);
}

/** The name is a label here, because a prefix may have characters that a name outside of quotes cannot have. */
function selector(
  measurement: Query["measurement"],
  field: string,
  filters: readonly Filter[],
  more: readonly string[] = [],
): string {
  const name = `__name__="${measurementName({ measurement })}_${field}"`;
  return `{${[name, ...more, ...filters.map(condition)].join(", ")}}`;
}

/** In a series without the label, its value is empty. */
function condition({ tag, variable: name, several }: Filter): string {
  return `${tag}${several === true ? "=~" : "="}"${variable(name)}"`;
}

function over(fn: string, series: string, range: string): string {
  return `${fn}(${series}[${range}])`;
}

function quotient(by: readonly string[], dividend: string, divisor: string): string {
  return `(sum${grouped(by)} (${dividend})\n/ sum${grouped(by)} (${divisor}))`;
}

function grouped(by: readonly string[]): string {
  return by.length === 0 ? "" : ` by (${by.join(", ")})`;
}

function indent(text: string): string {
  return text.replace(/^/gm, "  ");
}
