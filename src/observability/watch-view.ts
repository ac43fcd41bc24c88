import type { Reflector, ReflectorCounters } from "../kubernetes/reflector.ts";

/** How a watch of the Kubernetes API is doing. */
export interface WatchView {
  /** What it follows. */
  readonly resource: string;
  readonly objects: number;
  /** Milliseconds since the API server last proved that nothing is missing; Infinity before the first list. */
  readonly staleMs: number;
  readonly counters: ReflectorCounters;
}

export function watchView(
  resource: string,
  { objects, staleMs, counters }: Pick<Reflector<unknown>, "objects" | "staleMs" | "counters">,
): WatchView {
  return { resource, objects: objects.size, staleMs, counters };
}
