import type { StatsNeed } from "../collection/stats-needs.ts";
import { rawNeeds } from "../collection/libvirt/raw-parameters.ts";
import type { Family, RawGroup } from "../contract.ts";
import type { Measurement, NodeMeasurement, ReportMeasurement } from "./measurement.ts";
import { vmAgent } from "./vm-agent.ts";
import { vmCpu } from "./vm-cpu.ts";
import { vmDevices } from "./vm-devices.ts";
import { vmDisks } from "./vm-disks.ts";
import { vmDiskInfo } from "./vm-disk-info.ts";
import { vmEvents } from "./vm-events.ts";
import { vmFeatures } from "./vm-features.ts";
import { vmInfo } from "./vm-info.ts";
import { vmJobs } from "./vm-jobs.ts";
import { vmMemory } from "./vm-memory.ts";
import { vmMetrics } from "./vm-metrics.ts";
import { vmNicInfo } from "./vm-nic-info.ts";
import { vmNode } from "./vm-node.ts";
import { vmRaw } from "./vm-raw.ts";
import { vmStatus } from "./vm-status.ts";
import { vmTotals } from "./vm-totals.ts";
import { vmVcpus } from "./vm-vcpus.ts";

/** All measurements of VMs, in the order of their lines. */
export const MEASUREMENTS: readonly Measurement[] = [
  ...[vmMetrics, vmFeatures, vmDevices, vmTotals],
  ...[vmDisks, vmMemory, vmStatus, vmCpu, vmVcpus],
  ...[vmInfo, vmDiskInfo, vmNicInfo, vmRaw],
];

export const REPORT_MEASUREMENTS: readonly ReportMeasurement[] = [vmEvents, vmJobs];

export const NODE_MEASUREMENTS: readonly NodeMeasurement[] = [vmNode, vmAgent];

/** The families with lines about the node. */
export const NODE_FAMILIES: readonly Family[] = NODE_MEASUREMENTS.map(({ family }) => family);

/** Returns what the measurements of these families need from libvirt, without duplicates. `raw` are the groups of Raw. */
export function needsOf(families: readonly Family[], raw: readonly RawGroup[] = []): readonly StatsNeed[] {
  const wanted = [...MEASUREMENTS, ...REPORT_MEASUREMENTS, ...NODE_MEASUREMENTS].filter(({ family }) =>
    families.includes(family),
  );
  const groups = families.includes("Raw") ? rawNeeds(raw) : [];
  return [...new Set([...wanted.flatMap(({ needs }) => needs), ...groups])];
}
