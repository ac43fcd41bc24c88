import { readFileSync } from "node:fs";
import { KubeCluster } from "./kube.ts";
import { until } from "./process.ts";
import { VMI_CRD } from "./vmi-crd.ts";

/** Namespace and service accounts of the agents and the controller. */
export const NAMESPACE = "kubevirt-telemetry";
export const AGENT = "kubevirt-telemetry-agent";
export const CONTROLLER = "kubevirt-telemetry-controller";
export const API = "/apis/kubevirt-telemetry.io/v1alpha1";

/** Starts a cluster with KubeVirt's VMIs and all manifests; resolves when the admission policy is active. */
export async function startTelemetryCluster(
  options: Parameters<typeof KubeCluster.start>[0] = {},
): Promise<KubeCluster> {
  const cluster = await KubeCluster.start(options);
  try {
    const files = ["crds/telemetryconfigs", "crds/nodetelemetries", "rbac", "admission-policy"];
    const manifests = files.map((file) => readFileSync(`manifests/${file}.yaml`, "utf8"));
    await cluster.apply([VMI_CRD, ...manifests].join("---\n"));
    await policyInForce(cluster);
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}

/** Waits for the policy, which becomes active a moment after it is stored. */
async function policyInForce(cluster: KubeCluster): Promise<void> {
  const token = await cluster.createServiceAccountToken(NAMESPACE, AGENT);
  const probe = { apiVersion: "kubevirt-telemetry.io/v1alpha1", kind: "NodeTelemetry", metadata: { name: "probe" } };
  await until(async () => {
    const { status } = await cluster.request("PATCH", `${API}/nodetelemetries/probe?fieldManager=probe`, {
      token,
      body: probe,
      contentType: "application/apply-patch+yaml",
    });
    if (status !== 403) throw new Error(`answered ${status}`);
    return true;
  }, "the admission policy to be active");
  await cluster.request("DELETE", `${API}/nodetelemetries/probe`);
}
