import type { Static } from "typebox";
import * as Type from "typebox";
import { keyedList, type Immutable } from "../lib/schema-types.ts";
import { conditionList } from "./conditions.ts";
import { boundedText, count, generation, message, objectName, reason } from "./status-parts.ts";

/** The status has only the first failures. */
export const MAX_FAILURES = 10;

/** `status` of a TelemetryConfig, written by the controller only. */
export const TELEMETRY_CONFIG_STATUS = Type.Object({
  observedGeneration: generation("Generation that this status is about."),
  conditions: conditionList(
    "Accepted: the object is valid. Ready: every node that it governs collects and delivers. Overridden: another TelemetryConfig governs some of the nodes that it selects.",
  ),
  targetCount: count("Number of targets."),
  nodes: Type.Object(
    {
      selected: count("Nodes that it selects."),
      governed: count("Selected nodes that it governs."),
      ready: count("Governed nodes that are ready with this generation."),
      degraded: count("Governed nodes that are not ready."),
      stale: count("Governed nodes that have not reported for hours."),
    },
    { description: "Numbers of nodes, from the nodes' reports." },
  ),
  nodeSummary: boundedText("Ready of governed nodes: `3/5`. For the print column.", 32),
  failures: keyedList("node", Type.Object({ node: objectName("Node."), reason: reason(), message: message() }), {
    description: "The first nodes that are not ready.",
    maxItems: MAX_FAILURES,
  }),
});

export type TelemetryConfigStatus = Immutable<Static<typeof TELEMETRY_CONFIG_STATUS>>;
