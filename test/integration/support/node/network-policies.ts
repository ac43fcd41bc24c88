import { kubeRouterPath } from "../../../../scripts/provision/cache.ts";
import type { KubeCluster } from "../kube.ts";
import { until } from "../process.ts";
import type { KubeNode } from "./kube-node.ts";

/**
 * Enforces the NetworkPolicies of the cluster on a node, as network plugins of real clusters do: kube-router writes packet filter
 * rules for the node's pods. Resolves when it does. It ends with the node.
 */
export async function enforcePolicies(cluster: KubeCluster, node: KubeNode): Promise<void> {
  node.startProgram("kube-router", [
    kubeRouterPath(),
    `--kubeconfig=${cluster.kubeconfig}`,
    `--hostname-override=${node.name}`,
    "--run-firewall=true",
    "--run-router=false",
    "--run-service-proxy=false",
  ]);
  await until(async () => {
    const rules = await node.run("iptables", "--list-rules", "FORWARD");
    return rules.includes("KUBE-ROUTER-FORWARD") || undefined;
  }, "the rules of kube-router");
}
