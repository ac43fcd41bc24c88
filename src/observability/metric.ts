import type { Histogram } from "../lib/histogram.ts";

/** A value and the values of the metric's labels, in their order. */
export type Reading = readonly [value: number, ...labels: string[]];

/** A metric of this program: what it says, and where its values are when somebody asks for them. */
export interface Metric<Source> {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  /** One sentence without a full stop, with the unit if the name does not say it. */
  readonly help: string;
  readonly labels?: readonly string[];
  /** Undefined while there is nothing to tell. */
  readonly read: (source: Source) => number | Histogram | readonly Reading[] | undefined;
}

/** Metrics that belong together, for the documentation. */
export interface MetricGroup<Source> {
  readonly title: string;
  readonly metrics: readonly Metric<Source>[];
}
