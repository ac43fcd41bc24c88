import type { Static } from "typebox";
import * as Type from "typebox";
import { choice, keyedList, list, type Immutable } from "../lib/schema-types.ts";
import { conditionList } from "./conditions.ts";
import { boundedText, count, generation, objectName, reason, time, uid } from "./status-parts.ts";

/** Most TelemetryConfigs that a report names. */
export const MAX_SELECTED_BY = 32;
/** Most libvirt versions that a report names; launchers of many ages can run on one node. */
export const MAX_VERSIONS = 16;

const target = Type.Object({
  name: boundedText("Name of the target in the TelemetryConfig.", 63),
  state: choice(
    ["Idle", "Delivering", "Failing"],
    "Idle: nothing was sent yet. Delivering: the last request was successful. Failing: it was not.",
  ),
  since: time("When the state began."),
  reason: reason(),
});

/**
 * `status` of a NodeTelemetry: the state of one node, written by its agent. It has no counter, no rate and no time that
 * changes with every cycle, because each would cost a write per node and cycle.
 */
export const NODE_TELEMETRY_STATUS = Type.Object({
  config: Type.Optional(
    Type.Object(
      {
        name: objectName("Its name."),
        uid: uid("Its UID."),
        observedGeneration: generation("Generation in use."),
      },
      { description: "The TelemetryConfig in use. Absent while no configuration is in use." },
    ),
  ),
  selectedBy: list(objectName("Name."), {
    description: "Active TelemetryConfigs that select the node, the governing one first.",
    maxItems: MAX_SELECTED_BY,
  }),
  agent: Type.Object(
    {
      version: boundedText("Its version.", 64),
      podUID: uid("UID of its pod."),
      startedAt: time("When it started."),
      reportedAt: time("When this report was written; an agent writes one at least every hour."),
    },
    { description: "The agent that wrote this report." },
  ),
  libvirt: Type.Object(
    {
      versions: list(boundedText("Version.", 32), {
        description: "Versions of the libvirt daemons.",
        maxItems: MAX_VERSIONS,
      }),
      endpoints: count("Libvirt daemons with a socket."),
      domains: count("Domains that are collected."),
    },
    { description: "State of libvirt on the node." },
  ),
  targets: keyedList("name", target, { description: "State of delivery to each target.", maxItems: 8 }),
  targetSummary: boundedText("Targets that do not fail, of all targets: `2/2`. For the print column.", 16),
  conditions: conditionList(
    "Ready: no other condition is False, except NamesKnown. ConfigApplied: the governing configuration is in use. NamesKnown: the list of virtual machines is complete and up to date; Ready does not depend on it. LibvirtReachable: a libvirt daemon answers, or the node has none; a launcher that does not answer, misbehaves or is sampled less often is named there, but does not make it False. TargetsDelivering: every target accepts lines. BufferHealthy: no lines are dropped.",
  ),
});

export type NodeTelemetryStatus = Immutable<Static<typeof NODE_TELEMETRY_STATUS>>;
export type TargetStatus = NodeTelemetryStatus["targets"][number];

/** Every reason in a NodeTelemetry -> its meaning, for the reference page. */
export const NODE_REASONS = {
  AsExpected: "No fault.",
  NoConfig: "No Active TelemetryConfig selects the node. Nothing is collected.",
  InvalidConfig:
    "This agent's version cannot read the TelemetryConfig that governs the node. The last good configuration stays in use. The message has every fault.",
  SecretNotFound:
    "A Secret, a ConfigMap or a key in one does not exist, or the agent's Role does not name it. Its target keeps the values that were read before; without any, its lines are queued. Other targets are not affected.",
  SocketDenied:
    "The agent may not open a libvirt socket, because of its user, its capabilities or SELinux. The node is not ready if no daemon answers.",
  EndpointTimeout:
    "A libvirt daemon or a QEMU does not answer in time. Its VMs are missing, or some of their values; other VMs are collected. The node is not ready if no daemon answers.",
  NoDomains: "No virtual machine runs on the node.",
  LauncherMisbehaving:
    "A launcher exceeds its budget or claims to be another VM, so an attacker may control it. Its VM is not collected, or in part; other VMs are. The message names the VM. Ready does not depend on it.",
  SampledLessOften:
    "All launchers together send more parameters than the agent takes in a second. Those of the largest VMs are not sampled in every cycle; other VMs are. Raise the chart's `agent.launcherLimits.sharedParameters` (`--launcher-limit`), or set a longer interval. The message names a VM. Ready does not depend on it.",
  TargetUnauthorized:
    "The target rejects the token or the password, or the token has a character that no header can hold. The agent reads them again, so a new one needs no restart.",
  TargetNotFound: "The target has no such database, bucket or organization, or the URL is not that of its API.",
  TargetUnreachable: "The target is not reachable, does not answer, or is overloaded. Lines are queued.",
  TargetRejecting:
    "The target rejects every line, is at a limit of its own, or its answer is not one of InfluxDB. Lines are queued.",
  Known: "The agent knows the virtual machines of the node.",
  Forbidden:
    "The API server rejects the list of VirtualMachineInstances: the agent's identity (401) or its rights (403). VMs that are not known yet are not collected.",
  TooLarge:
    "A VirtualMachineInstance has more than 4 MiB as JSON and is left out: it is not collected. The others are.",
  Unreachable:
    "The API server does not answer the list of VirtualMachineInstances, or has not confirmed it for minutes. Known VMs are collected, with their last known labels.",
  Ambiguous: "Two VirtualMachineInstances list the same pod. It is not collected.",
  BufferFull: "Lines were dropped because the buffer reached its size or age limit.",
  DiskFull: "The buffer's volume has no space.",
} as const;

export type NodeReason = keyof typeof NODE_REASONS;
