import type { Clock } from "../lib/clock.ts";
import { plain, type Routes } from "./http-server.ts";
import { formatMetrics, METRICS_CONTENT_TYPE, type MetricGroup } from "./metric.ts";
import { oncePerSecond } from "./once-per-second.ts";

type Route = Routes[string];

/** Returns a route whose answers come from one snapshot a second. `view` returns undefined until there is a snapshot. */
export function sharedRoute<View>(clock: Clock, view: () => View | undefined, routeOf: (view: View) => Route): Route {
  const route = oncePerSecond(clock, (): Route => {
    const current = view();
    return current === undefined ? () => plain(503, "starting") : routeOf(current);
  });
  return (query) => route()(query);
}

/** Returns the metrics of a snapshot as a route. They are formatted once. */
export function metricsRoute<View>(groups: readonly MetricGroup<View>[]): (view: View) => Route {
  return (view) => {
    const answer = { type: METRICS_CONTENT_TYPE, body: formatMetrics(groups, view) };
    return () => answer;
  };
}
