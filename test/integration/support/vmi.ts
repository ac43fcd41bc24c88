import type { KubeCluster } from "./kube.ts";

/** As much of a VirtualMachineInstance as the agent looks at. */
export interface Vmi {
  readonly namespace: string;
  readonly name: string;
  /** Of its firmware. */
  readonly uuid?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Where it counts as running. */
  readonly node: string;
  /** Pod UID -> node. */
  readonly pods: Readonly<Record<string, string>>;
  /** While a live migration is about to bring it there. */
  readonly migrationTarget?: string | undefined;
}

/** Makes the object, or makes it what is given: what is not given any more is removed. KubeVirt writes all of it at once. */
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
  // Whoever makes the first VMI of a namespace makes the namespace.
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
