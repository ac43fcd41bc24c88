import path from "node:path";
import { AgentLog } from "./agent-log.ts";
import { systemClock } from "./lib/clock.ts";
import type { Histogram } from "./lib/histogram.ts";
import { Pipeline } from "./node/pipeline.ts";
import type { NodeOptions, NodeRole } from "./node/role.ts";
import { agentView } from "./node/self-view.ts";
import { standalone } from "./node/standalone.ts";
import { agentRoutes } from "./observability/agent-routes.ts";
import type { AgentView } from "./observability/agent-view.ts";
import type { Routes } from "./observability/http-server.ts";
import { StatusServer } from "./observability/status-server.ts";
import { Router } from "./routing/router.ts";
import { DurableSpool } from "./spool/durable-spool.ts";

export interface AgentOptions extends NodeOptions {
  /** A TelemetryConfig; without it the configuration comes from the cluster. */
  readonly configFile: string | undefined;
  /** For `configFile`: DIR/<secret>/<key> files stand for Secrets. */
  readonly secretsDir: string | undefined;
  /** Where lines wait until every target has taken them; in memory if not given. */
  readonly spoolDir: string | undefined;
}

/** For what is left when the agent ends on a signal. */
const SHUTDOWN_DRAIN_MS = 5_000;
/** For what is left after the last of a limited number of cycles: a target may need a retry. */
const FINAL_DRAIN_MS = 30_000;
/** What the spool leaves free of a file system. In a cluster the kubelet begins to evict pods at a tenth. */
const FREE_SHARE = { cluster: 0.12, host: 0.02 };

/** Runs the node role. Resolves to the exit code. */
export async function runAgent({ configFile, secretsDir, spoolDir, ...options }: AgentOptions): Promise<number> {
  const { nodeName: node, listen, log, signal, cycles } = options;
  const clock = systemClock;
  let view: ((eventLoopLag: Histogram) => AgentView) | undefined;
  // Before all else: what takes its time at the start is no standstill.
  await using resources = new AsyncDisposableStack();
  if (listen !== undefined) {
    const routes = (eventLoopLag: Histogram): Routes => agentRoutes(() => view?.(eventLoopLag), signal);
    resources.use(await StatusServer.start({ address: listen, routes, clock, log }));
  }
  const agentLog = new AgentLog(log, clock);
  const onMissing: AgentLog["missing"] = (field, domain) => {
    agentLog.missing(field, domain);
  };
  const spool =
    spoolDir === undefined
      ? undefined
      : await DurableSpool.open({
          directory: spoolDir,
          clock,
          observer: agentLog.spool,
          owner: process.env["KUBEVIRT_TELEMETRY_POD_UID"],
          minFreeShare: configFile === undefined ? FREE_SHARE.cluster : FREE_SHARE.host,
        });
  const rejectedDir = spoolDir === undefined ? undefined : path.join(spoolDir, "rejected");
  const router = new Router({
    node,
    clock,
    observer: agentLog,
    onMissing,
    proxies: process.env,
    spool,
    rejectedDir,
  });
  const role: NodeRole = {
    ...options,
    clock,
    router,
    pipeline: (work) => new Pipeline({ router, log: agentLog, clock, ...work }),
    started: (parts) => {
      view = (eventLoopLag) => agentView({ node, router, eventLoopLag, clock }, parts);
    },
  };
  let complete: boolean;
  try {
    complete = configFile === undefined ? await inCluster(role) : await standalone(role, configFile, secretsDir);
  } catch (error) {
    await router.stop();
    throw error;
  }
  const limited = Number.isFinite(cycles) && !signal.aborted;
  return (await end(router, { ...options, spoolDir }, limited)) && (complete || !limited) ? 0 : 1;
}

/** Without a cluster, what speaks with one is not even loaded. */
async function inCluster(role: NodeRole): Promise<boolean> {
  const { clusterNode } = await import("./node/cluster-node.ts");
  return clusterNode(role, process.env);
}

/** Delivers what is left. Returns whether nothing went wrong that a caller would miss. */
async function end(
  router: Router,
  { signal, log, spoolDir }: Pick<AgentOptions, "signal" | "log" | "spoolDir">,
  limited: boolean,
): Promise<boolean> {
  const withinMs = limited ? FINAL_DRAIN_MS : SHUTDOWN_DRAIN_MS;
  const deadline = AbortSignal.timeout(withinMs);
  if (router.undeliveredLines > 0) log.info({ lines: router.undeliveredLines, withinMs }, "delivering what is left");
  const delivered = await router.drain(limited ? AbortSignal.any([deadline, signal]) : deadline);
  await router.stop();
  const { undeliveredLines } = router;
  if (undeliveredLines > 0 && spoolDir === undefined)
    log.warn(
      { lines: undeliveredLines },
      "lines that were not delivered are lost: without --spool-dir they are in memory",
    );
  const sum = (counter: "deliveredLines" | "rejectedLines"): number =>
    router.senders.reduce((total, { state }) => total + state[counter], 0);
  const rejectedLines = sum("rejectedLines");
  log.info({ deliveredLines: sum("deliveredLines"), undeliveredLines, rejectedLines }, "stopped");
  return signal.aborted || (delivered && rejectedLines === 0);
}
