import type { Static } from "typebox";
import * as Type from "typebox";
import type { Immutable } from "../lib/immutable.ts";
import { conditionList } from "./conditions.ts";
import { choice, count, generation, keyedList, list, name, reason, text, time, uid } from "./status-parts.ts";

/** Of the TelemetryConfigs that select a node this many are named. */
export const MAX_SELECTED_BY = 32;
/** Launchers of many ages run on one node; more versions than this tell nothing more. */
export const MAX_VERSIONS = 16;

const target = Type.Object({
  name: text("Name of the target in the TelemetryConfig.", 63),
  state: choice(
    ["Idle", "Delivering", "Failing"],
    "Idle: nothing was sent yet. Delivering: the last request was answered. Failing: it was not, or not usefully.",
  ),
  since: time("When the state began."),
  reason: reason(),
});

/**
 * `status` of a NodeTelemetry: how one node is doing, in the words of its agent. No counter that grows, no rate, no time
 * that changes with every cycle: each would be a write per node and cycle.
 */
export const NODE_TELEMETRY_STATUS = Type.Object({
  config: Type.Optional(
    Type.Object(
      {
        name: name("Its name."),
        uid: uid("Its UID."),
        observedGeneration: generation("The generation in force."),
      },
      { description: "The TelemetryConfig that governs the node; absent without one." },
    ),
  ),
  selectedBy: list(
    name("Name."),
    "Active TelemetryConfigs that select the node, the governing one first.",
    MAX_SELECTED_BY,
  ),
  agent: Type.Object(
    {
      version: text("Its version.", 64),
      podUID: uid("UID of its pod."),
      startedAt: time("When it started."),
      reportedAt: time("When this report was written; an agent writes one an hour at least."),
    },
    { description: "The agent that writes this." },
  ),
  libvirt: Type.Object(
    {
      versions: list(text("Version.", 32), "Versions of the libvirt daemons.", MAX_VERSIONS),
      endpoints: count("Libvirt daemons with a socket."),
      domains: count("Domains that are collected."),
    },
    { description: "What libvirt on the node says." },
  ),
  targets: keyedList("name", target, "How delivery to each target goes.", 8),
  targetSummary: text("Targets that do not fail, of all: `2/2`. For the print column.", 16),
  conditions: conditionList(
    "Ready: the sum of the others. ConfigApplied: the configuration that the cluster asks for is in force. LibvirtReachable: every libvirt daemon answers. TargetsDelivering: every target takes lines. BufferHealthy: nothing is lost to a cap of the buffer.",
  ),
});

export type NodeTelemetryStatus = Immutable<Static<typeof NODE_TELEMETRY_STATUS>>;
export type TargetStatus = NodeTelemetryStatus["targets"][number];
