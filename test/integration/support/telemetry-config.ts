import type { KubeCluster } from "./kube.ts";
import { API } from "./telemetry-cluster.ts";

/** Creates or changes a TelemetryConfig, as `kubectl apply --server-side` does. The default interval is a second. */
export async function applyConfig(
  cluster: KubeCluster,
  name: string,
  {
    collection,
    ...spec
  }: { readonly targets: readonly object[]; readonly collection?: object; readonly [field: string]: unknown },
): Promise<void> {
  await cluster.call("PATCH", `${pathOf(name)}?fieldManager=admin&force=true`, {
    body: {
      apiVersion: "kubevirt-telemetry.io/v1alpha1",
      kind: "TelemetryConfig",
      metadata: { name },
      spec: { collection: { interval: "1s", ...collection }, ...spec },
    },
    contentType: "application/apply-patch+yaml",
  });
}

export async function deleteConfig(cluster: KubeCluster, name: string): Promise<void> {
  await cluster.call("DELETE", pathOf(name));
}

/** Returns an InfluxDB 1 target. */
export function target({ url, database }: { readonly url: string; readonly database: string }, name = "sink"): object {
  return { name, url, tls: { mode: "Plaintext" }, v1: { database } };
}

function pathOf(name: string): string {
  return `${API}/telemetryconfigs/${name}`;
}
