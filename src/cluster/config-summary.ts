import { readClusterObject } from "../config/cluster-object.ts";
import { recordOf } from "../kubernetes/kube-object.ts";
import type { ConfigSummary } from "../status/aggregate.ts";
import type { TelemetryConfigStatus } from "../status/config-status.ts";

/** What the controller keeps of a TelemetryConfig as the API server gives it; undefined for what is none. */
export function readConfigSummary(raw: unknown): ConfigSummary | undefined {
  const config = readClusterObject(raw);
  if (config === undefined) return undefined;
  const { name, uid, generation, faults, state } = config;
  const { spec, status } = recordOf(raw);
  const { targets } = recordOf(spec);
  return {
    name,
    uid,
    generation,
    faults,
    suspended: state === "Suspended",
    targetCount: Array.isArray(targets) ? targets.length : 0,
    // The API server sees to the types of what is there; without conditions it is no status that was written by this.
    status: Array.isArray(recordOf(status)["conditions"]) ? (status as TelemetryConfigStatus) : undefined,
  };
}
