import type { NodeTelemetryStatus } from "./node-telemetry.ts";

/** The parts of a NodeTelemetry that the controller needs. It keeps thousands in memory, so they are few. */
export interface NodeSummary {
  readonly node: string;
  /** Undefined: the object exists, but its agent has not reported yet. */
  readonly status:
    | (Pick<NodeTelemetryStatus, "config" | "selectedBy" | "conditions"> & {
        readonly agent: Pick<NodeTelemetryStatus["agent"], "reportedAt">;
      })
    | undefined;
}

/**
 * Returns the summary of an object from the API server, or undefined if it has no name. The server has checked the types
 * of fields, but fields can be missing. A status without `selectedBy` is not a report.
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
