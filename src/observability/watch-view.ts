import type { Reflector, ReflectorCounters } from "../kubernetes/reflector.ts";
import type { StoreFault } from "../kubernetes/store-fault.ts";
import { formatSpan } from "../lib/quantity.ts";
import type { Metric, MetricGroup, Reading } from "./metric.ts";
import { tableSection, type Column, type Html } from "./page.ts";

/** A snapshot of one watch of the Kubernetes API. */
export interface WatchView {
  /** The kind of object that it watches. */
  readonly resource: string;
  readonly objects: number;
  /** Milliseconds since the API server last confirmed that no change is missing; Infinity before the first list. */
  readonly staleMs: number;
  readonly counters: ReflectorCounters;
  /** Why objects may be missing. */
  readonly fault: StoreFault | undefined;
}

export function watchView(
  resource: string,
  { objects, staleMs, counters, fault }: Pick<Reflector<unknown>, "objects" | "staleMs" | "counters" | "fault">,
): WatchView {
  return { resource, objects: objects.size, staleMs, counters, fault };
}

const COLUMNS: readonly Column<WatchView>[] = [
  { title: "Watch", cell: ({ resource }) => resource },
  { title: "Objects", kind: "number", cell: ({ objects }) => objects },
  {
    title: "Last confirmed",
    kind: "number",
    cell: ({ staleMs }) => (Number.isFinite(staleMs) ? `${formatSpan(staleMs)} ago` : "never"),
  },
  { title: "Lists", kind: "number", cell: ({ counters }) => counters.lists },
  { title: "Watches", kind: "number", cell: ({ counters }) => counters.watches },
  { title: "reconnects", kind: "number", cell: ({ counters }) => counters.reconnects },
  { title: "Changes", kind: "number", cell: ({ counters }) => counters.events },
  { title: "missed", kind: "number", cell: ({ counters }) => counters.missedFoundByRelist },
  { title: "Fault", cell: ({ fault }) => (fault === undefined ? "" : `${fault.reason}: ${fault.message}`) },
];

/** Returns the page's section about watches; empty without Kubernetes. */
export function watchSection(watches: readonly WatchView[]): readonly Html[] {
  return watches.length === 0 ? [] : [tableSection("Kubernetes", watches, COLUMNS, "")];
}

interface HasWatches {
  readonly watches: readonly WatchView[];
}

function perWatch(value: (watch: WatchView) => number): Metric<HasWatches>["read"] {
  return ({ watches }) => watches.map((watch): Reading => [value(watch), watch.resource]);
}

function ofWatch(
  type: "counter" | "gauge",
  name: string,
  help: string,
  value: (watch: WatchView) => number,
): Metric<HasWatches> {
  return { name: `kubevirt_telemetry_kubernetes_${name}`, type, help, labels: ["resource"], read: perWatch(value) };
}

export const WATCH_METRICS: MetricGroup<HasWatches> = {
  title: "Kubernetes",
  metrics: [
    ofWatch("gauge", "objects", "Objects watched", ({ objects }) => objects),
    ofWatch(
      "gauge",
      "stale_seconds",
      "Time since the API server last confirmed that no change is missing, which it does about every minute; +Inf before the first list",
      ({ staleMs }) => staleMs / 1000,
    ),
    ofWatch("counter", "lists_total", "List requests", ({ counters }) => counters.lists),
    ofWatch("counter", "watches_total", "Watches opened", ({ counters }) => counters.watches),
    ofWatch(
      "counter",
      "reconnects_total",
      "Watches opened again after the connection was cut",
      ({ counters }) => counters.reconnects,
    ),
    ofWatch("counter", "events_total", "Changes reported by watches", ({ counters }) => counters.events),
    ofWatch(
      "counter",
      "missed_total",
      "Changes that no watch reported and a later list showed",
      ({ counters }) => counters.missedFoundByRelist,
    ),
  ],
};
