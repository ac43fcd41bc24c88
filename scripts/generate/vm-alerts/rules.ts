import type { Family } from "../../../src/contract.ts";

/** How a rule makes one number of each VM, or of each disk, out of the lines of the last minutes. */
export interface Asked {
  readonly measurement: "vm_vcpus" | "vm_disks" | "vm_memory" | "vm_status";
  readonly field: string;
  /**
   * `rate`: a counter's growth per second, averaged over its series; `mean`: the average of a number; `last`: the last number;
   * `word`: 1 if the last text is `word`, otherwise 0.
   */
  readonly as: "rate" | "mean" | "last" | "word";
  readonly word?: string;
  /** The number is divided by it. */
  readonly divisor?: number;
  /** Tags; each set of their values has a number of its own. */
  readonly by: readonly string[];
}

/** An alert about a VM, independent of the server. It fires for each VM with a number above `over`. */
export interface VmAlert {
  readonly alert: string;
  /** The family that must be collected. */
  readonly family: Family;
  readonly severity: "warning" | "critical";
  readonly over: number;
  /** How long the number must stay above, as a duration of Grafana. */
  readonly for: string;
  /** `{vm}` is the VM, `{device}` the disk, `{value}` the number. */
  readonly summary: string;
  readonly asked: Asked;
}

/** Minutes of lines that a rule reads: ten samples of a family that is collected every 30 seconds. */
export const READ_MINUTES = 5;

/** The UUID tells VMs of two plain hosts apart if they have the same name. */
const VM = ["namespace", "name", "uuid"];

export const VM_ALERTS: readonly VmAlert[] = [
  {
    alert: "KubevirtVmStealTime",
    family: "Vcpus",
    severity: "warning",
    over: 10,
    for: "10m",
    summary: "the vCPUs of {vm} wait {value} % of the time for a CPU of their node",
    asked: { measurement: "vm_vcpus", field: "delay_ns", as: "rate", divisor: 1e7, by: VM },
  },
  {
    alert: "KubevirtVmDiskFull",
    family: "Disks",
    severity: "warning",
    over: 90,
    for: "5m",
    summary: "{value} % of the disk {device} of {vm} are allocated on its storage",
    asked: { measurement: "vm_disks", field: "fill_percent", as: "last", by: [...VM, "device"] },
  },
  {
    alert: "KubevirtVmMemoryFull",
    family: "Memory",
    severity: "warning",
    over: 95,
    for: "10m",
    summary: "the guest of {vm} uses {value} % of its memory",
    asked: { measurement: "vm_memory", field: "used_percent", as: "mean", by: VM },
  },
  {
    alert: "KubevirtVmPausedByIoError",
    family: "Status",
    severity: "critical",
    over: 0,
    for: "1m",
    summary: "{vm} is paused: its storage has failed, or is full",
    asked: { measurement: "vm_status", field: "reason", as: "word", word: "io-error", by: VM },
  },
  {
    alert: "KubevirtVmGuestSilent",
    family: "Memory",
    severity: "warning",
    over: 120,
    for: "5m",
    summary: "the guest of {vm} has not reported its memory for {value} seconds",
    asked: { measurement: "vm_memory", field: "guest_stats_age_s", as: "last", by: VM },
  },
];
