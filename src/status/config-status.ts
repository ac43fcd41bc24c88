import type { Static } from "typebox";
import * as Type from "typebox";
import type { Immutable } from "../lib/immutable.ts";
import { conditionList } from "./conditions.ts";
import { count, generation, keyedList, message, name, reason, text } from "./status-parts.ts";

/** The first failures stand for the others. */
export const MAX_FAILURES = 10;

/** `status` of a TelemetryConfig, written by the controller only. */
export const TELEMETRY_CONFIG_STATUS = Type.Object({
  observedGeneration: generation("The generation that this status is about."),
  conditions: conditionList(
    "Accepted: the object is valid. Ready: every node that it governs collects and delivers. Overridden: another TelemetryConfig governs some of the nodes that it selects.",
  ),
  targetCount: count("Number of targets."),
  nodes: Type.Object(
    {
      selected: count("Nodes that it selects."),
      governed: count("Of them, nodes that it governs."),
      ready: count("Of those, nodes that are ready with this generation."),
      degraded: count("Of those, nodes that are not ready."),
      stale: count("Of those, nodes that have not reported for hours."),
    },
    { description: "Nodes, as they report in their NodeTelemetry." },
  ),
  nodeSummary: text("Ready nodes of the governed ones: `3/5`. For the print column.", 32),
  failures: keyedList(
    "node",
    Type.Object({ node: name("Node."), reason: reason(), message: message() }),
    "The first nodes that are not ready.",
    MAX_FAILURES,
  ),
});

export type TelemetryConfigStatus = Immutable<Static<typeof TELEMETRY_CONFIG_STATUS>>;
