import type { KubeCluster } from "./kube.ts";

/** The fields of a VirtualMachineInstance that the agent reads. */
export interface Vmi {
  readonly namespace: string;
  readonly name: string;
  /** Of its firmware. */
  readonly uuid?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** The node on which it runs. */
  readonly node: string;
  /** Pod UID -> node. */
  readonly pods: Readonly<Record<string, string>>;
  /** The target node of a live migration. */
  readonly migrationTarget?: string | undefined;
}

/** Creates or replaces the object; missing fields are removed. KubeVirt writes all fields at once. */
export async function applyVmi(cluster: KubeCluster, vmi: Vmi): Promise<void> {
  const { namespace, name, uuid, node, pods, migrationTarget } = vmi;
  const labels = {
    ...vmi.labels,
    "kubevirt.io/nodeName": node,
    ...(migrationTarget !== undefined && { "kubevirt.io/migrationTargetNodeName": migrationTarget }),
  };
  const body = {
    apiVersion: "kubevirt.io/v1",
    kind: "VirtualMachineInstance",
    metadata: { name, labels, annotations: vmi.annotations ?? {} },
    spec: uuid === undefined ? {} : { domain: { firmware: { uuid } } },
    status: { phase: "Running", nodeName: node, activePods: pods },
  };
  // The first VMI of a namespace creates the namespace.
  await cluster.request("POST", "/api/v1/namespaces", {
    body: { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } },
  });
  await cluster.call("PATCH", `${pathOf(vmi)}?fieldManager=kubevirt&force=true`, {
    body,
    contentType: "application/apply-patch+yaml",
  });
}

export async function deleteVmi(cluster: KubeCluster, vmi: Pick<Vmi, "namespace" | "name">): Promise<void> {
  await cluster.call("DELETE", pathOf(vmi));
}

function pathOf({ namespace, name }: Pick<Vmi, "namespace" | "name">): string {
  return `/apis/kubevirt.io/v1/namespaces/${namespace}/virtualmachineinstances/${name}`;
}
