import { runStatusController, type WatchedObjects } from "./cluster/config-statuses.ts";
import { connectToCluster } from "./cluster/connect.ts";
import { LeaderElection } from "./kubernetes/lease.ts";
import { systemClock, type Clock } from "./lib/clock.ts";
import type { Histogram } from "./lib/histogram.ts";
import { RateLimit, WARNING_PERIOD_MS } from "./lib/rate-limit.ts";
import type { Logger } from "./log.ts";
import { controllerRoutes } from "./observability/controller-routes.ts";
import type { ControllerView } from "./observability/controller-view.ts";
import type { ListenAddress } from "./observability/listen-address.ts";
import { EventLoopLag, processView } from "./observability/process-view.ts";
import { StatusServer } from "./observability/status-server.ts";
import { watchView } from "./observability/watch-view.ts";
import { VERSION } from "./version.ts";

export interface ControllerOptions {
  /** Namespace of the Lease. If undefined, that of the pod or of the kubeconfig's context. */
  readonly namespace: string | undefined;
  /** Unique for every controller. */
  readonly identity: string;
  readonly env: NodeJS.ProcessEnv;
  /** Address of metrics, health and the status page. If undefined, they are not served. */
  readonly listen: ListenAddress | undefined;
  /** Names that clients may use for that address, in lower case. */
  readonly allowedHosts: ReadonlySet<string>;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const LEASE = "kubevirt-telemetry-controller";

/**
 * Runs the controller until the signal aborts. Of several controllers one works at a time, the leader. Resolves to the exit
 * code.
 */
export async function runController({
  identity,
  env,
  listen,
  allowedHosts,
  log,
  signal,
  ...given
}: ControllerOptions): Promise<number> {
  const lag = new EventLoopLag();
  const clock = lag.measured(systemClock);
  const cluster = connectToCluster({ env, version: VERSION, log, clock });
  await using client = cluster.client;
  // The access is read at the start, so that an invalid kubeconfig ends the process instead of causing retries.
  const own = await cluster.readNamespace();
  const { namespace = own } = given;
  const warnings = new RateLimit(WARNING_PERIOD_MS, clock);
  const election = new LeaderElection({
    client,
    namespace,
    name: LEASE,
    identity,
    clock,
    observer: {
      acquired: () => {
        log.info({ lease: LEASE }, "leading");
      },
      lost: () => {
        log.warn({ lease: LEASE }, "leadership lost");
      },
      failed: ({ code, message }) => {
        if (warnings.allows(code)) log.warn({ code }, message);
      },
    },
  });
  let watched: WatchedObjects | undefined;
  await using resources = new AsyncDisposableStack();
  if (listen !== undefined) {
    const view = (): ControllerView => controllerView({ identity, watched, eventLoopLag: lag.histogram, clock });
    const routes = controllerRoutes(view, signal, clock);
    resources.use(await StatusServer.start({ address: listen, allowedHosts, routes, clock, log }));
  }
  log.info({ version: VERSION, identity, namespace }, "started");
  const onWatching = (objects: WatchedObjects): void => {
    watched = objects;
  };
  await election.run(async (leading) => {
    await runStatusController({ client, instance: identity, log, clock, onWatching }, leading);
    watched = undefined;
  }, signal);
  log.info("stopped");
  return 0;
}

function controllerView({
  identity,
  watched,
  eventLoopLag,
  clock,
}: {
  readonly identity: string;
  /** Undefined while another controller is the leader. */
  readonly watched: WatchedObjects | undefined;
  readonly eventLoopLag: Histogram;
  readonly clock: Clock;
}): ControllerView {
  const watches =
    watched === undefined
      ? []
      : [watchView("TelemetryConfigs", watched.configs), watchView("NodeTelemetries", watched.nodes)];
  return {
    process: processView(VERSION, eventLoopLag),
    nowMs: clock.now(),
    identity,
    leading: watched !== undefined,
    configs: [...(watched?.configs.objects.values() ?? [])],
    watches,
  };
}
