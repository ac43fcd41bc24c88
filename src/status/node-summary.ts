import type { NodeTelemetryStatus } from "./node-telemetry.ts";

/** What of a NodeTelemetry the status of TelemetryConfigs is made of: a controller keeps it of thousands. */
export interface NodeSummary {
  readonly node: string;
  /** Undefined: the object is there, its agent has not reported yet. */
  readonly status:
    | (Pick<NodeTelemetryStatus, "config" | "selectedBy" | "conditions"> & {
        readonly agent: Pick<NodeTelemetryStatus["agent"], "reportedAt">;
      })
    | undefined;
}

/**
 * Reads an object as the API server gives it, which sees to the types of what is there but not to what is missing. What
 * does not say which objects select the node is no report.
 */
export function readNodeSummary(raw: unknown): NodeSummary | undefined {
  const { metadata, status } = (raw ?? {}) as {
    metadata?: { readonly name?: unknown };
    status?: Partial<NodeTelemetryStatus>;
  };
  if (typeof metadata?.name !== "string") return undefined;
  const { selectedBy, config, conditions = [], agent } = status ?? {};
  return {
    node: metadata.name,
    status: selectedBy && {
      selectedBy,
      ...(config !== undefined && { config }),
      agent: { reportedAt: agent?.reportedAt ?? "" },
      conditions: conditions.filter(({ type }) => type === "Ready"),
    },
  };
}
