import path from "node:path";
import { LatestSamples } from "./collection/latest-samples.ts";
import { PROTOCOLS } from "./delivery/protocols.ts";
import type { Sender } from "./delivery/sender.ts";
import { messageOf } from "./errors.ts";
import { isAborted } from "./lib/abort.ts";
import { systemClock, type Clock } from "./lib/clock.ts";
import { ServiceManager } from "./lib/service-manager.ts";
import { clusterPlace } from "./node/cluster-place.ts";
import { NodeLog } from "./node/node-log.ts";
import type { NodeOptions, NodeParts } from "./node/node-mode.ts";
import { NodeState } from "./node/node-state.ts";
import { localConfig } from "./node/standalone.ts";
import { startNode, type StartedNode } from "./node/start-node.ts";
import { agentRoutes } from "./observability/agent-routes.ts";
import type { ListenAddress } from "./observability/listen-address.ts";
import { EventLoopLag } from "./observability/process-view.ts";
import { stalledMs } from "./observability/progress.ts";
import { StatusServer } from "./observability/status-server.ts";
import { Router } from "./routing/router.ts";
import { REJECTED_DIR } from "./spool/rejected-names.ts";
import { DurableSpool } from "./spool/durable-spool.ts";

export interface AgentOptions extends NodeOptions {
  /** Infinity: until the signal aborts. */
  readonly cycles: number;
  /** Where metrics, health and the status page are served; undefined to serve nothing. */
  readonly listen: ListenAddress | undefined;
  /** Names that clients may use for that address, in lower case. */
  readonly allowedHosts: ReadonlySet<string>;
  /** Whether the values of VMs are served, too. */
  readonly vmMetrics: boolean;
  /** The directory of the spool; undefined for a spool in memory. */
  readonly spoolDir: string | undefined;
}

/** The time to deliver queued lines when the agent ends on a signal. */
const SHUTDOWN_DRAIN_MS = 5_000;
/** The time to deliver queued lines after the last of a limited number of cycles. A target may need a retry. */
const FINAL_DRAIN_MS = 30_000;
/** Failures in a row after which no target is waited for. A drain retries about twice a second, unless the target sets a delay. */
const FINAL_ATTEMPTS = 8;
const FINAL_CHECK_MS = 100;
/** The share of a file system that the spool of a plain host leaves free. The default is for a node of a cluster. */
const HOST_FREE_SHARE = 0.02;

/** Runs an agent. Resolves to the exit code. */
export async function runAgent({
  cycles,
  listen,
  allowedHosts,
  vmMetrics,
  spoolDir,
  ...options
}: AgentOptions): Promise<number> {
  const { log, signal, nodeName: node } = options;
  const lag = new EventLoopLag();
  const clock = lag.measured(systemClock);
  // Before a port is served or a spool is opened.
  if (localConfig(options) === undefined) clusterPlace(options);
  let started: StartedNode | undefined;
  const latest = vmMetrics && listen !== undefined ? new LatestSamples() : undefined;
  // The server starts first, so that a slow start is not reported as a stall.
  await using resources = new AsyncDisposableStack();
  if (listen !== undefined) {
    const routes = agentRoutes({
      view: () => started?.view(lag.histogram),
      progress: () => started?.progress(),
      vms: latest && { latest, node },
      ending: signal,
      clock,
    });
    resources.use(await StatusServer.start({ address: listen, allowedHosts, routes, clock, log }));
  }
  const parts = await openParts(options, spoolDir, clock);
  const { router, nodeLog } = parts;
  let complete: boolean;
  try {
    await using node = await startNode({ ...options, ...parts, latest });
    started = node;
    resources.use(await tellManager(node, log));
    complete = await node.pipeline.run(cycles, signal);
  } catch (error) {
    await router.stop();
    throw error;
  }
  const limited = Number.isFinite(cycles) && !signal.aborted;
  const delivered = await end(router, { ...options, spoolDir }, limited);
  nodeLog.losses.dropped(router.losses, true);
  return delivered && (complete || !limited) ? 0 : 1;
}

/** Tells the service manager that the node has started, and that it is alive, until the result is disposed of. */
async function tellManager(node: StartedNode, log: NodeOptions["log"]): Promise<AsyncDisposable> {
  const manager = ServiceManager.of(process.env);
  const ended = new AbortController();
  await manager?.ready().catch((error: unknown) => {
    log.warn({ error: messageOf(error) }, "the service manager does not know that the agent is ready");
  });
  const watching = manager?.watch({
    clock: systemClock,
    signal: ended.signal,
    healthy: () => stalledMs(node.progress()) === undefined,
  });
  return {
    async [Symbol.asyncDispose]() {
      ended.abort();
      await watching;
    },
  };
}

/** Opens the spool, and the router over it. */
async function openParts(
  { nodeName, configFile, print, log }: NodeOptions,
  spoolDir: string | undefined,
  clock: Clock,
): Promise<NodeParts> {
  const nodeLog = new NodeLog(log, clock);
  const state = new NodeState(nodeLog, clock);
  const spool =
    spoolDir === undefined
      ? undefined
      : await DurableSpool.open({
          directory: spoolDir,
          clock,
          observer: nodeLog.spool,
          owner: process.env["KUBEVIRT_TELEMETRY_POD_UID"],
          minFreeShare: configFile === undefined ? undefined : HOST_FREE_SHARE,
        });
  const router = new Router({
    node: nodeName,
    clock,
    observer: nodeLog,
    onMissing: (field, domain) => {
      state.countMissing(field, domain);
    },
    onDiscarded: (target, lines) => {
      nodeLog.losses.discarded(target, lines);
    },
    proxies: process.env,
    spool,
    rejectedDir: spoolDir === undefined ? undefined : path.join(spoolDir, REJECTED_DIR),
    ...(print !== undefined && { protocolOf: () => PROTOCOLS.print, stdout: print }),
  });
  const knownObjectsFile = spoolDir && path.join(spoolDir, "known-objects.jsonl");
  return { router, state, nodeLog, clock, knownObjectsFile };
}

/** Delivers the queued lines. Returns whether the exit code may be 0: every line was delivered, or a signal ended the agent. */
async function end(
  router: Router,
  { signal, log, spoolDir }: Pick<AgentOptions, "signal" | "log" | "spoolDir">,
  limited: boolean,
): Promise<boolean> {
  const withinMs = limited ? FINAL_DRAIN_MS : SHUTDOWN_DRAIN_MS;
  const deadline = AbortSignal.timeout(withinMs);
  if (router.undeliveredLines > 0) log.info({ lines: router.undeliveredLines, withinMs }, "delivering what is left");
  const ended = new AbortController();
  const givenUp = limited ? giveUp(router, log, ended) : undefined;
  const ends = [deadline, ended.signal, ...(limited ? [signal] : [])];
  const delivered = await router.drain(AbortSignal.any(ends));
  ended.abort();
  await givenUp;
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

/** Aborts `ended` when every target with queued lines fails again and again, and logs why. Resolves when `ended` is aborted. */
async function giveUp(router: Router, log: NodeOptions["log"], ended: AbortController): Promise<void> {
  const failuresOf = ({ state }: Sender): number => state.consecutiveFailures;
  const before = new Map(router.senders.map((sender) => [sender.name, failuresOf(sender)]));
  while (!isAborted(ended.signal)) {
    await systemClock.sleep(FINAL_CHECK_MS, ended.signal);
    // A drain does not wait for a target without its Secret.
    const waiting = router.senders.filter(
      ({ backlog, settings }) => backlog.lines > 0 && settings.credentials.kind !== "missing",
    );
    const isHopeless = (sender: Sender): boolean =>
      failuresOf(sender) >= (before.get(sender.name) ?? 0) + FINAL_ATTEMPTS;
    if (isAborted(ended.signal) || waiting.length === 0 || !waiting.every(isHopeless)) continue;
    for (const { name, state, backlog } of waiting)
      log.warn(
        { target: name, reason: state.reason, lines: backlog.lines },
        `lines not delivered after ${FINAL_ATTEMPTS} more attempts: ${state.detail ?? ""}`,
      );
    ended.abort();
  }
}
