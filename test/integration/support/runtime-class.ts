import type { KubeCluster } from "./kube.ts";

/** Creates the RuntimeClass that ci/tuned-values.yaml names: containerd's default runtime. */
export async function createRuntimeClass(cluster: KubeCluster): Promise<void> {
  await cluster.apply("apiVersion: node.k8s.io/v1\nkind: RuntimeClass\nmetadata: { name: runc }\nhandler: runc\n");
}
