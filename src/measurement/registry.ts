import type { StatsNeed } from "../collection/stats-needs.ts";
import type { Family } from "../contract.ts";
import type { Measurement } from "./measurement.ts";
import { vmDevices } from "./vm-devices.ts";
import { vmFeatures } from "./vm-features.ts";
import { vmMetrics } from "./vm-metrics.ts";
import { vmTotals } from "./vm-totals.ts";

/** Every measurement, in the order in which its lines are written. */
export const MEASUREMENTS: readonly Measurement[] = [vmMetrics, vmFeatures, vmDevices, vmTotals];

/** What the measurements of these families need from libvirt, each once. */
export function needsOf(families: readonly Family[]): readonly StatsNeed[] {
  return [...new Set(MEASUREMENTS.filter(({ family }) => families.includes(family)).flatMap(({ needs }) => needs))];
}
