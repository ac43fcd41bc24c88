import { resourcePath } from "../kubernetes/kube-object.ts";

const GROUP = "kubevirt-telemetry.io";
const VERSION = "v1alpha1";
export const API_VERSION = `${GROUP}/${VERSION}`;

export const TELEMETRY_CONFIGS = { group: GROUP, version: VERSION, plural: "telemetryconfigs" };
export const NODE_TELEMETRIES = { group: GROUP, version: VERSION, plural: "nodetelemetries" };

/** KubeVirt's; served since its 0.2x releases under this version. */
export const VMIS = resourcePath({ group: "kubevirt.io", version: "v1", plural: "virtualmachineinstances" });

export function nodePath(name: string): string {
  return resourcePath({ group: "", version: "v1", plural: "nodes", name });
}
