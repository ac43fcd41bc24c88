import type { ConfigListener } from "../config/config-loop.ts";
import type { Histogram } from "../lib/histogram.ts";
import type { Progress } from "../observability/agent-routes.ts";
import type { AgentView } from "../observability/agent-view.ts";
import { VERSION } from "../version.ts";
import type { NodeMode, NodeOptions, NodeParts } from "./node-mode.ts";
import { nodeProgress, nodeView } from "./node-view.ts";
import { Pipeline } from "./pipeline.ts";
import { localConfig, standaloneNode } from "./standalone.ts";

export interface StartedNode extends AsyncDisposable {
  readonly pipeline: Pipeline;
  view(eventLoopLag: Histogram): AgentView;
  progress(): Progress;
}

/**
 * Starts everything except the cycles of the pipeline. Disposing the result ends it.
 * @throws {TelemetryError} if the configuration file, an option or the access to the cluster cannot be used
 */
export async function startNode(options: NodeOptions & NodeParts): Promise<StartedNode> {
  const { nodeName, podsDir, libvirtSockets: sockets, log, signal, nodeLog, ...parts } = options;
  const local = localConfig(options);
  const mode = local === undefined ? await inCluster(options) : await standaloneNode(options, local);
  const { findEndpoints, config, namespace } = mode;
  const { router, state, clock } = parts;
  const pipeline = new Pipeline({ router, state, clock, findEndpoints });
  const ended = new AbortController();
  const listener: ConfigListener = {
    changed: (changed) => {
      pipeline.configure(changed);
    },
    rejected: (fault) => {
      nodeLog.configRejected(fault, state.config);
    },
    incomplete: (fault) => {
      nodeLog.configIncomplete(fault);
    },
    unavailable: (error) => {
      nodeLog.configUnavailable(error, state.config);
    },
  };
  const running = mode.run(listener, pipeline, AbortSignal.any([signal, ended.signal]));
  log.info({ version: VERSION, node: nodeName, sockets, podsDir, namespace }, "started");
  const sources = { nodeName, router, state, clock, pipeline, config, watches: () => mode.watches() };
  return {
    pipeline,
    view: (eventLoopLag) => nodeView(sources, eventLoopLag),
    progress: () => nodeProgress(sources),
    async [Symbol.asyncDispose]() {
      ended.abort();
      await mode.close?.();
      await running;
    },
  };
}

/** Loads the code for a cluster only if it is needed. */
async function inCluster(options: NodeOptions & NodeParts): Promise<NodeMode> {
  const { clusterNode } = await import("./cluster-node.ts");
  return clusterNode(options, process.env);
}
