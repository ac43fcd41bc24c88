import { Histogram } from "../lib/histogram.ts";

/** A value and the values of the metric's labels, in their order. */
export type Reading = readonly [value: number, ...labels: string[]];

/** A metric of this program, and how to read its values from a snapshot when Prometheus scrapes it. */
export interface Metric<Source> {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** One sentence without a full stop, with the unit unless the name has it. */
  readonly help: string;
  readonly labels?: readonly string[];
  /** Returns undefined while the metric has no value. */
  readonly read: (source: Source) => number | Histogram | readonly Reading[] | undefined;
}

/** Metrics that belong together: a section of the documentation. */
export interface MetricGroup<Source> {
  readonly title: string;
  readonly metrics: readonly Metric<Source>[];
}

/** The text format of Prometheus, version 0.0.4. */
export const METRICS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Returns the current values of all metrics in Prometheus' text format. A metric without a value is left out. */
export function formatMetrics<Source>(groups: readonly MetricGroup<Source>[], source: Source): string {
  return groups
    .flatMap(({ metrics }) => metrics)
    .map((metric) => textOf(metric, source))
    .join("");
}

function textOf<Source>(metric: Metric<Source>, source: Source): string {
  const value = metric.read(source);
  const samples =
    value instanceof Histogram ? histogramLines(metric.name, value) : readingLines(metric, readings(value));
  if (samples.length === 0) return "";
  return `${formatHeader(metric)}${[...samples, ""].join("\n")}`;
}

/** Returns the lines before the values of a metric, with a line break at the end. */
export function formatHeader({ name, type, help }: Pick<Metric<never>, "name" | "type" | "help">): string {
  return `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
}

/** Returns `label="text"`. */
export function labelPair(label: string, text: string): string {
  return `${label}="${escapeLabel(text)}"`;
}

function readings(value: number | readonly Reading[] | undefined): readonly Reading[] {
  if (value === undefined) return [];
  return typeof value === "number" ? [[value]] : value;
}

function readingLines<Source>({ name, labels = [] }: Metric<Source>, values: readonly Reading[]): string[] {
  return values.map(([value, ...labelValues]) => {
    const pairs = labels.map((label, index) => labelPair(label, labelValues[index] ?? ""));
    return `${name}${pairs.length === 0 ? "" : `{${pairs.join(",")}}`} ${numberText(value)}`;
  });
}

function histogramLines(name: string, histogram: Histogram): string[] {
  const { bounds, cumulative, sum, count } = histogram;
  return [
    ...bounds.map((bound, index) => `${name}_bucket{le="${bound}"} ${cumulative[index] ?? 0}`),
    `${name}_bucket{le="+Inf"} ${count}`,
    `${name}_sum ${numberText(sum)}`,
    `${name}_count ${count}`,
  ];
}

/** Characters that a label cannot have as they are. */
const ESCAPED = /[\\"\n]/;

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

function escapeLabel(text: string): string {
  if (!ESCAPED.test(text)) return text;
  return text.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n");
}
