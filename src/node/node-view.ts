import type { ConfigLoop } from "../config/config-loop.ts";
import type { Clock } from "../lib/clock.ts";
import type { Histogram } from "../lib/histogram.ts";
import type { Progress } from "../observability/progress.ts";
import type { AgentView, ConfigView, LibvirtView, TargetView } from "../observability/agent-view.ts";
import { processView } from "../observability/process-view.ts";
import type { WatchView } from "../observability/watch-view.ts";
import type { Router } from "../routing/router.ts";
import { VERSION } from "../version.ts";
import type { NodeState } from "./node-state.ts";
import type { Pipeline } from "./pipeline.ts";

/** Everything that the status page and the metrics of a node read. */
export interface ViewSources {
  readonly nodeName: string | undefined;
  readonly state: NodeState;
  readonly pipeline: Pipeline;
  readonly router: Router;
  readonly config: Pick<ConfigLoop, "origin" | "fault">;
  readonly watches: () => readonly WatchView[];
  readonly clock: Clock;
}

/** Returns the agent's state at this moment. */
export function nodeView(sources: ViewSources, eventLoopLag: Histogram): AgentView {
  const { nodeName, router, watches, clock } = sources;
  return {
    ...nodeProgress(sources),
    process: processView(VERSION, eventLoopLag),
    node: nodeName,
    nowMs: clock.now(),
    config: configView(sources),
    libvirt: libvirtView(sources),
    history: sources.state.history,
    lines: router.counters,
    leftOutLines: router.quotas.leftOutLines,
    targets: targetViews(router, clock.monotonic()),
    spool: router.spoolStats,
    rejected: router.rejectedStats,
    watches: watches(),
  };
}

/** Returns the part of the state that health reads. Its cost does not depend on the number of VMs. */
export function nodeProgress({ state, pipeline, clock }: Pick<ViewSources, "state" | "pipeline" | "clock">): Progress {
  return { cycles: state.cycles.view(pipeline.skippedTicks, pipeline.intervalMs), monotonicMs: clock.monotonic() };
}

function configView({ state, config: { origin, fault } }: ViewSources): ConfigView {
  return {
    active: state.config,
    source: origin?.name,
    generation: origin?.observedGeneration,
    fault: fault && { reason: fault.reason, message: fault.error.message },
  };
}

function libvirtView({ state: { endpoints }, pipeline }: ViewSources): LibvirtView {
  const { views, fault, errors, rejections } = endpoints;
  return { endpoints: views, fault, errors, rejections, ...pipeline.stats };
}

function targetViews({ senders }: Router, monotonicMs: number): TargetView[] {
  return senders.map(({ settings: { name, url }, state: record, backlog, losses, oldestMonotonicMs }) => ({
    name,
    url,
    record,
    backlog,
    oldestAgeMs: oldestMonotonicMs === undefined ? undefined : monotonicMs - oldestMonotonicMs,
    losses,
  }));
}
