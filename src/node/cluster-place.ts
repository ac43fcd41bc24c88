import { TelemetryError } from "../errors.ts";
import type { NodeOptions } from "./node-mode.ts";

export interface ClusterPlace {
  readonly nodeName: string;
  readonly podsDir: string;
}

/**
 * Returns the options that an agent needs in a cluster.
 * @throws {TelemetryError} E_USAGE if one is missing
 */
export function clusterPlace({ nodeName, podsDir }: Pick<NodeOptions, "nodeName" | "podsDir">): ClusterPlace {
  if (nodeName !== undefined && podsDir !== undefined) return { nodeName, podsDir };
  const missing = nodeName === undefined ? "--node-name" : "--pods-dir";
  const why = "is missing: it is needed in a cluster. To run without one, give --config FILE";
  throw new TelemetryError("E_USAGE", `${missing} ${why}`);
}
