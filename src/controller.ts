import { keepConfigStatuses } from "./cluster/config-statuses.ts";
import { KubeApi } from "./kubernetes/api.ts";
import { findAccess } from "./kubernetes/find-access.ts";
import { LeaderElection } from "./kubernetes/lease.ts";
import { systemClock } from "./lib/clock.ts";
import { RateLimit } from "./lib/rate-limit.ts";
import type { Logger } from "./log.ts";
import { VERSION } from "./version.ts";

export interface ControllerOptions {
  /** Where the Lease is; that of the pod or of the kubeconfig's context if not given. */
  readonly namespace: string | undefined;
  /** Unlike that of every other controller. */
  readonly identity: string;
  readonly env: NodeJS.ProcessEnv;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

const LEASE = "kubevirt-telemetry-controller";
const WARNING_PERIOD_MS = 300_000;

/** Runs the cluster role until the signal: one of its processes works, the others wait. Resolves to the exit code. */
export async function runController({ identity, env, log, signal, ...given }: ControllerOptions): Promise<number> {
  const clock = systemClock;
  const readAccess = findAccess({ env });
  // Read in any case: what is wrong with it ends the start, not the first of many tries.
  const { namespace: own = "default" } = await readAccess();
  const { namespace = own } = given;
  const warnings = new RateLimit(WARNING_PERIOD_MS, clock);
  await using client = new KubeApi({
    readAccess,
    clock,
    userAgent: `kubevirt-telemetry/${VERSION}`,
    observer: {
      connected: () => {
        log.info("connected to the API server");
      },
      disconnected: ({ code, message }) => {
        log.warn({ code }, `no connection to the API server: ${message}`);
      },
    },
  });
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
        log.warn({ lease: LEASE }, "not leading any more");
      },
      failed: ({ code, message }) => {
        if (warnings.allows(code)) log.warn({ code }, message);
      },
    },
  });
  log.info({ version: VERSION, identity, namespace }, "started");
  await election.run((leading) => keepConfigStatuses({ client, instance: identity, log, clock }, leading), signal);
  log.info("stopped");
  return 0;
}
