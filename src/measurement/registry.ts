import type { StatsNeed } from "../collection/stats-needs.ts";
import type { Family } from "../contract.ts";
import type { Measurement } from "./measurement.ts";
import { vmCpu } from "./vm-cpu.ts";
import { vmDevices } from "./vm-devices.ts";
import { vmDisks } from "./vm-disks.ts";
import { vmFeatures } from "./vm-features.ts";
import { vmMemory } from "./vm-memory.ts";
import { vmMetrics } from "./vm-metrics.ts";
import { vmStatus } from "./vm-status.ts";
import { vmTotals } from "./vm-totals.ts";
import { vmVcpus } from "./vm-vcpus.ts";

/** All measurements, in the order of their lines. */
export const MEASUREMENTS: readonly Measurement[] = [
  ...[vmMetrics, vmFeatures, vmDevices, vmTotals],
  ...[vmDisks, vmMemory, vmStatus, vmCpu, vmVcpus],
];

/** Returns what the measurements of these families need from libvirt, without duplicates. */
export function needsOf(families: readonly Family[]): readonly StatsNeed[] {
  return [...new Set(MEASUREMENTS.filter(({ family }) => families.includes(family)).flatMap(({ needs }) => needs))];
}
