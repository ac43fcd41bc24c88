import type { Clock } from "../lib/clock.ts";
import type { Histogram } from "../lib/histogram.ts";
import type { AgentView, ConfigView, TargetView } from "../observability/agent-view.ts";
import { processView } from "../observability/process-view.ts";
import type { WatchView } from "../observability/watch-view.ts";
import type { Router } from "../routing/router.ts";
import { VERSION } from "../version.ts";
import type { Pipeline } from "./pipeline.ts";

/** What a role has that can tell something. */
export interface NodeParts {
  readonly pipeline: Pipeline;
  readonly config: () => Omit<ConfigView, "inForce">;
  readonly watches: () => readonly WatchView[];
}

export interface AgentViewOptions {
  readonly node: string | undefined;
  readonly router: Router;
  readonly eventLoopLag: Histogram;
  readonly clock: Clock;
}

/** The agent at this moment. Everything is asked for now; nothing is kept here. */
export function agentView({ node, router, eventLoopLag, clock }: AgentViewOptions, parts: NodeParts): AgentView {
  const { pipeline, config, watches } = parts;
  return {
    process: processView(VERSION, eventLoopLag),
    node,
    nowMs: clock.now(),
    monotonicMs: clock.monotonic(),
    config: { inForce: pipeline.config, ...config() },
    cycles: pipeline.cycles,
    libvirt: pipeline.libvirt,
    lines: router.counters,
    targets: targetViews(router, clock.monotonic()),
    spool: router.spoolStats,
    rejected: router.rejectedStats,
    watches: watches(),
  };
}

function targetViews({ senders }: Router, monotonicMs: number): TargetView[] {
  return senders.map(({ settings: { name, url }, state: record, backlog, losses, oldestBornAtMs }) => ({
    name,
    url,
    record,
    backlog,
    oldestAgeMs: oldestBornAtMs === undefined ? undefined : monotonicMs - oldestBornAtMs,
    losses,
  }));
}
