import { ConnectionLimit } from "../collection/libvirt/connection-limit.ts";
import type { ConfigListener } from "../config/config-loop.ts";
import type { EffectiveConfig } from "../config/resolve.ts";
import type { Histogram } from "../lib/histogram.ts";
import { openFileLimit } from "../lib/open-files.ts";
import type { Progress } from "../observability/progress.ts";
import type { AgentView } from "../observability/agent-view.ts";
import { maxWaiting } from "../observability/connection-slots.ts";
import { VERSION } from "../version.ts";
import type { NodeLog } from "./node-log.ts";
import type { NodeMode, NodeOptions, NodeParts } from "./node-mode.ts";
import { nodeProgress, nodeView } from "./node-view.ts";
import { Pipeline } from "./pipeline.ts";
import { localConfig, standaloneNode } from "./standalone.ts";

/**
 * File descriptors that connections to launchers leave free, besides those of readers that wait: 64 for readers that are served,
 * about 30 for Node, and the rest for the spool, the targets, the API server and files that are open for a moment.
 */
const RESERVED_FILES = 128;
const MIN_CONNECTIONS = 16;

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
  const { router, state, clock, latest } = parts;
  const connections = launcherConnections(nodeLog);
  const pipeline = new Pipeline({ router, state, clock, latest, findEndpoints, connections });
  const ended = new AbortController();
  // The state follows at the next tick.
  let active: EffectiveConfig | undefined;
  const listener: ConfigListener = {
    changed: (changed) => {
      active = changed;
      pipeline.configure(changed);
    },
    rejected: (fault) => {
      nodeLog.configRejected(fault, active);
    },
    incomplete: (fault) => {
      nodeLog.configIncomplete(fault);
    },
    unavailable: (error) => {
      nodeLog.configUnavailable(error, active);
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

function launcherConnections(nodeLog: NodeLog): ConnectionLimit {
  const files = openFileLimit();
  return new ConnectionLimit(Math.max(MIN_CONNECTIONS, files - RESERVED_FILES - maxWaiting(files)), () => {
    nodeLog.connectionsClosed(files);
  });
}

/** Loads the code for a cluster only if it is needed. */
async function inCluster(options: NodeOptions & NodeParts): Promise<NodeMode> {
  const { clusterNode } = await import("./cluster-node.ts");
  return clusterNode(options, process.env);
}
