import { API } from "../config/schema.ts";
import { resourcePath } from "../kubernetes/kube-object.ts";

export const TELEMETRY_CONFIGS = { ...API, plural: "telemetryconfigs" };
export const NODE_TELEMETRIES = { ...API, plural: "nodetelemetries" };

/** KubeVirt's; served since its 0.2x releases under this version. */
export const VMIS = resourcePath({ group: "kubevirt.io", version: "v1", plural: "virtualmachineinstances" });

export function nodePath(name: string): string {
  return resourcePath({ group: "", version: "v1", plural: "nodes", name });
}
