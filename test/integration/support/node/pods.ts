import type { KubeCluster } from "../kube.ts";
import type { ApiObject } from "../kube-api.ts";
import { until } from "../process.ts";
import type { KubeNode } from "./kube-node.ts";

interface ContainerStatus {
  readonly name: string;
  readonly containerID?: string;
  readonly restartCount: number;
  readonly state: { readonly terminated?: { readonly exitCode: number } };
}

/** A pod that a kubelet runs. */
export interface RunningPod extends ApiObject {
  readonly metadata: ApiObject["metadata"] & { readonly deletionTimestamp?: string };
  readonly status: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly initContainerStatuses?: readonly ContainerStatus[];
    readonly containerStatuses?: readonly ContainerStatus[];
    readonly phase?: string;
    readonly podIP?: string;
  };
}

/** A long limit, for two busy cores. */
const READY_MS = 120_000;

/** Resolves to the pods of a namespace with these labels, without those that end. */
export async function podsOf(cluster: KubeCluster, namespace: string, labels: string): Promise<readonly RunningPod[]> {
  const path = `/api/v1/namespaces/${namespace}/pods?labelSelector=${encodeURIComponent(labels)}`;
  const { items = [] } = await cluster.call("GET", path);
  return (items as readonly RunningPod[]).filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

/** Returns whether the kubelet reports the pod as Ready. */
export function isReady({ status }: RunningPod): boolean {
  return status.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True") === true;
}

/** Resolves to the only pod with these labels when it is Ready and, with `not`, another one than that. */
export async function readyPod(
  cluster: KubeCluster,
  namespace: string,
  labels: string,
  { not = "" } = {},
): Promise<RunningPod> {
  return until(
    async () => {
      const [pod, ...others] = await podsOf(cluster, namespace, labels);
      if (pod === undefined || others.length > 0 || pod.metadata.uid === not) return undefined;
      return isReady(pod) ? pod : undefined;
    },
    `a Ready pod ${labels}`,
    READY_MS,
  );
}

/** Resolves to the pid of a container's first process, in the node's process namespace. */
export async function pidOf(node: KubeNode, pod: RunningPod, container: string): Promise<string> {
  const status = pod.status.containerStatuses?.find(({ name }) => name === container);
  const id = status?.containerID?.replace("containerd://", "") ?? "";
  const tasks = await node.run("ctr", "--namespace", "k8s.io", "tasks", "list");
  const pid = new RegExp(`^${id} +(\\d+) +RUNNING`, "m").exec(tasks)?.[1];
  if (pid === undefined) throw new Error(`${container} does not run:\n${tasks}`);
  return pid;
}
