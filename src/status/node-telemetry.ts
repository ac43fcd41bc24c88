import type { Condition } from "./conditions.ts";

/** `status` of a NodeTelemetry: how one node is doing, in the words of its agent. No counter, no rate. */
export interface NodeTelemetryStatus {
  /** The TelemetryConfig that governs the node; absent without one. `observedGeneration` is the one in force. */
  readonly config?: { readonly name: string; readonly uid: string; readonly observedGeneration: number };
  /** Names of the Active TelemetryConfigs that select the node, the governing one first. */
  readonly selectedBy: readonly string[];
  readonly agent: {
    readonly version: string;
    readonly podUID: string;
    readonly startedAt: string;
    /** When this report was written: an hourly sign of life. */
    readonly reportedAt: string;
  };
  readonly libvirt: { readonly versions: readonly string[]; readonly endpoints: number; readonly domains: number };
  readonly targets: readonly TargetStatus[];
  /** `delivering/all`, for the print column. */
  readonly targetSummary: string;
  readonly conditions: readonly Condition[];
}

export interface TargetStatus {
  readonly name: string;
  readonly state: "Idle" | "Delivering" | "Failing";
  /** RFC 3339: when the state began. */
  readonly since: string;
  readonly reason: string;
}
