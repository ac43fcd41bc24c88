import { KubeApi } from "../kubernetes/api.ts";
import type { ConnectionOptions } from "../kubernetes/connection.ts";
import { findAccess } from "../kubernetes/find-access.ts";
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../log.ts";

export interface ClusterOptions {
  readonly env: NodeJS.ProcessEnv;
  /** The version of this program. */
  readonly version: string;
  /** Logs the changes of the connection; without it they are not logged. */
  readonly log?: Logger;
  readonly clock: Clock;
}

export interface ClusterAccess {
  readonly client: KubeApi;
  /**
   * Reads the namespace of the pod or of the kubeconfig's context.
   * @throws {KubeError} E_KUBE_CONFIG if the access cannot be used
   */
  readNamespace(): Promise<string>;
}

/**
 * Returns a client of the cluster that the environment names. It connects with its first request.
 * @throws {KubeError} E_KUBE_CONFIG if the environment names no cluster
 */
export function connectToCluster({ env, version, log, clock }: ClusterOptions): ClusterAccess {
  const readAccess = findAccess({ env });
  const userAgent = `kubevirt-telemetry/${version}`;
  return {
    client: new KubeApi({ readAccess, clock, userAgent, observer: connectionLog(log) }),
    async readNamespace() {
      const { namespace = "default" } = await readAccess();
      return namespace;
    },
  };
}

function connectionLog(log: Logger | undefined): ConnectionOptions["observer"] {
  return {
    connected: () => {
      log?.info("connected to the API server");
    },
    disconnected: ({ code, message }) => {
      log?.warn({ code }, `no connection to the API server, the last known state stays active: ${message}`);
    },
  };
}
