import { AgentLog } from "./agent-log.ts";
import { systemClock, type Clock } from "./lib/clock.ts";
import type { Histogram } from "./lib/histogram.ts";
import { Pipeline } from "./node/pipeline.ts";
import type { NodeOptions, NodeRole } from "./node/role.ts";
import { selfView } from "./node/self-view.ts";
import { standalone } from "./node/standalone.ts";
import { agentRoutes } from "./observability/agent-routes.ts";
import type { AgentView } from "./observability/agent-view.ts";
import { SelfServer } from "./observability/self-server.ts";
import { Outputs } from "./outputs.ts";

export interface AgentOptions extends NodeOptions {
  /** A TelemetryConfig; without it the configuration comes from the cluster. */
  readonly configFile: string | undefined;
  /** For `configFile`: DIR/<secret>/<key> files stand for Secrets. */
  readonly secretsDir: string | undefined;
}

/** For what is left when the agent ends on a signal. */
const SHUTDOWN_DRAIN_MS = 5_000;
/** For what is left after the last of a limited number of cycles: a target may need a retry. */
const FINAL_DRAIN_MS = 30_000;

/** Runs the node role. Resolves to the exit code. */
export async function runAgent({ configFile, secretsDir, ...options }: AgentOptions): Promise<number> {
  const { nodeName: node, log, signal, cycles } = options;
  const clock = systemClock;
  let view: ((eventLoopLag: Histogram) => AgentView) | undefined;
  // Before all else: what takes its time at the start is no standstill.
  await using resources = new AsyncDisposableStack();
  resources.use(await serve(options, clock, (eventLoopLag) => view?.(eventLoopLag)));
  const agentLog = new AgentLog(log, clock);
  const onMissing: AgentLog["missing"] = (field, domain) => {
    agentLog.missing(field, domain);
  };
  const outputs = new Outputs({ node, clock, observer: agentLog, onMissing });
  const role: NodeRole = {
    ...options,
    clock,
    outputs,
    pipeline: (work) => new Pipeline({ outputs, log: agentLog, clock, ...work }),
    started: (parts) => {
      view = (eventLoopLag) => selfView({ node, outputs, eventLoopLag, clock }, parts);
    },
  };
  const complete = configFile === undefined ? await inCluster(role) : await standalone(role, configFile, secretsDir);
  const limited = Number.isFinite(cycles) && !signal.aborted;
  return (await end(outputs, options, limited)) && (complete || !limited) ? 0 : 1;
}

/** Without a cluster, what speaks with one is not even loaded. */
async function inCluster(role: NodeRole): Promise<boolean> {
  const { clusterNode } = await import("./node/cluster-node.ts");
  return clusterNode(role, process.env);
}

async function serve(
  { listen, log, signal }: NodeOptions,
  clock: Clock,
  view: (eventLoopLag: Histogram) => AgentView | undefined,
): Promise<AsyncDisposable | undefined> {
  if (listen === undefined) return undefined;
  const server = await SelfServer.start({
    address: listen,
    clock,
    routes: (eventLoopLag) => agentRoutes(() => view(eventLoopLag), signal),
    faulted: (error) => {
      log.error({ err: error, code: "E_INTERNAL" }, "a page could not be made");
    },
  });
  log.info({ address: server.address }, "serving metrics, health and the status page");
  return server;
}

/** Delivers what is left. Returns whether nothing went wrong that a caller would miss. */
async function end(
  outputs: Outputs,
  { signal, log }: Pick<NodeOptions, "signal" | "log">,
  limited: boolean,
): Promise<boolean> {
  const deadline = AbortSignal.timeout(limited ? FINAL_DRAIN_MS : SHUTDOWN_DRAIN_MS);
  const delivered = await outputs.drain(limited ? AbortSignal.any([deadline, signal]) : deadline);
  await outputs.stop();
  const rejectedLines = outputs.senders.reduce((sum, { state }) => sum + state.rejectedLines, 0);
  const undeliveredLines = outputs.senders.reduce((sum, { backlog }) => sum + backlog.lines, 0);
  log.info({ undeliveredLines, rejectedLines }, "stopped");
  return signal.aborted || (delivered && rejectedLines === 0);
}
