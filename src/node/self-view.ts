import type { Clock } from "../lib/clock.ts";
import type { Histogram } from "../lib/histogram.ts";
import type { AgentView, ConfigView, TargetView } from "../observability/agent-view.ts";
import { processView } from "../observability/process-view.ts";
import type { WatchView } from "../observability/watch-view.ts";
import type { Outputs } from "../outputs.ts";
import { VERSION } from "../version.ts";
import type { Pipeline } from "./pipeline.ts";

/** What a role has that can tell something. */
export interface NodeParts {
  readonly pipeline: Pipeline;
  readonly config: () => Omit<ConfigView, "inForce">;
  readonly watches: () => readonly WatchView[];
}

export interface SelfViewOptions {
  readonly node: string | undefined;
  readonly outputs: Outputs;
  readonly eventLoopLag: Histogram;
  readonly clock: Clock;
}

/** The agent at this moment. Everything is asked for now; nothing is kept here. */
export function selfView({ node, outputs, eventLoopLag, clock }: SelfViewOptions, parts: NodeParts): AgentView {
  const { pipeline, config, watches } = parts;
  return {
    process: processView(VERSION, eventLoopLag),
    node,
    nowMs: clock.now(),
    monotonicMs: clock.monotonic(),
    config: { inForce: pipeline.config, ...config() },
    cycles: pipeline.cycles,
    libvirt: pipeline.libvirt,
    lines: outputs.counters,
    targets: targetViews(outputs, clock.monotonic()),
    spool: outputs.spoolStats,
    rejected: outputs.rejectedStats,
    watches: watches(),
  };
}

function targetViews({ senders }: Outputs, monotonicMs: number): TargetView[] {
  return senders.map(({ settings: { name, url }, state: record, backlog, losses, oldestBornAtMs }) => ({
    name,
    url,
    record,
    backlog,
    oldestAgeMs: oldestBornAtMs === undefined ? undefined : monotonicMs - oldestBornAtMs,
    losses,
  }));
}
