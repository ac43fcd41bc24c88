import type { Metric, MetricGroup, Reading } from "./metric.ts";
import type { WatchView } from "./watch-view.ts";

interface HasWatches {
  readonly watches: readonly WatchView[];
}

function perWatch(value: (watch: WatchView) => number): Metric<HasWatches>["read"] {
  return ({ watches }) => watches.map((watch): Reading => [value(watch), watch.resource]);
}

function counter(name: string, help: string, value: (watch: WatchView) => number): Metric<HasWatches> {
  return { name, type: "counter", help, labels: ["resource"], read: perWatch(value) };
}

export const WATCH_METRICS: MetricGroup<HasWatches> = {
  title: "Kubernetes",
  metrics: [
    {
      name: "kubevirt_telemetry_kubernetes_objects",
      type: "gauge",
      help: "Objects that are followed",
      labels: ["resource"],
      read: perWatch(({ objects }) => objects),
    },
    {
      name: "kubevirt_telemetry_kubernetes_stale_seconds",
      type: "gauge",
      help: "Time since the API server last proved that no change is missing, which it does about every minute; +Inf before the first list",
      labels: ["resource"],
      read: perWatch(({ staleMs }) => staleMs / 1000),
    },
    counter("kubevirt_telemetry_kubernetes_lists_total", "Lists asked for", ({ counters }) => counters.lists),
    counter("kubevirt_telemetry_kubernetes_watches_total", "Watches opened", ({ counters }) => counters.watches),
    counter(
      "kubevirt_telemetry_kubernetes_reconnects_total",
      "Watches opened because the one before was cut off",
      ({ counters }) => counters.reconnects,
    ),
    counter(
      "kubevirt_telemetry_kubernetes_events_total",
      "Changes that watches told of",
      ({ counters }) => counters.events,
    ),
    counter(
      "kubevirt_telemetry_kubernetes_missed_total",
      "Changes that no watch told of and a later list showed",
      ({ counters }) => counters.missedFoundByRelist,
    ),
  ],
};
