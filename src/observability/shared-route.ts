import type { Clock } from "../lib/clock.ts";
import { plain, type Routes } from "./http-server.ts";
import { formatMetrics, METRICS_CONTENT_TYPE, type MetricGroup } from "./metric.ts";
import { oncePerSecond } from "./once-per-second.ts";

type Route = Routes[string];

/** Returns a route whose answers come from one snapshot a second. `view` returns undefined until there is a snapshot. */
export function sharedRoute<View>(clock: Clock, view: () => View | undefined, routeOf: (view: View) => Route): Route {
  return sharedRoutes(clock, view, ["only"], (current) => ({ only: routeOf(current) })).only;
}

/** Returns a route for each of these names, as `sharedRoute` does. They share the snapshot. */
export function sharedRoutes<View, Name extends string>(
  clock: Clock,
  view: () => View | undefined,
  names: readonly Name[],
  routesOf: (view: View) => Readonly<Record<Name, Route>>,
): Readonly<Record<Name, Route>> {
  const latest = oncePerSecond(clock, () => {
    const current = view();
    return current && routesOf(current);
  });
  const routes = names.map((name): [Name, Route] => [
    name,
    (query) => latest()?.[name](query) ?? plain(503, "starting"),
  ]);
  return Object.fromEntries(routes) as Record<Name, Route>;
}

/** Returns the metrics of a snapshot as a route. They are formatted once. */
export function metricsRoute<View>(groups: readonly MetricGroup<View>[]): (view: View) => Route {
  return (view) => {
    const answer = { type: METRICS_CONTENT_TYPE, body: formatMetrics(groups, view) };
    return () => answer;
  };
}
