import { API } from "../config/schema.ts";
import { resourcePath } from "../kubernetes/kube-object.ts";

export const TELEMETRY_CONFIGS = { ...API, plural: "telemetryconfigs" };
export const NODE_TELEMETRIES = { ...API, plural: "nodetelemetries" };

/** The path of KubeVirt's VMIs. All supported releases serve this version. */
export const VMIS = resourcePath({ group: "kubevirt.io", version: "v1", plural: "virtualmachineinstances" });

export function nodePath(name: string): string {
  return resourcePath({ group: "", version: "v1", plural: "nodes", name });
}
