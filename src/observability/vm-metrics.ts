import { DISK_DETAILS } from "../collection/libvirt/disk-details.ts";
import { GUEST_MEMORY } from "../collection/libvirt/guest-memory.ts";
import { VCPUS } from "../collection/libvirt/vcpus.ts";
import { BALLOON, CPU_TIMES, DEVICES, type StatsNeed } from "../collection/stats-needs.ts";
import { labelPair, type Metric } from "./metric.ts";
import type { Labeled, VmSeries } from "./vm-series.ts";

/** A metric of VMs with the name, the labels, the unit and the meaning of KubeVirt's. */
export interface VmMetric extends Pick<Metric<never>, "name" | "type" | "help"> {
  readonly labels: readonly string[];
  /** Only a family that needs it has the metric; undefined for what every cycle has. */
  readonly need: StatsNeed | undefined;
  /** Returns the lines of a VM, or an empty text. */
  lines(vm: VmSeries): string;
}

/** What has values: the VM itself, or each of its devices or vCPUs. */
interface Part<Value> {
  readonly need: StatsNeed | undefined;
  /** The label that tells the devices of a VM apart. */
  readonly label?: string;
  readonly of: (vm: VmSeries) => readonly Labeled<Value>[];
}

/** `read` returns libvirt's number, and `unit` converts it. */
type Row<Value> = readonly [
  name: string,
  unit: (value: bigint) => number,
  read: (value: Value) => bigint | undefined,
  help: string,
  extra?: { readonly label: string; readonly textOf: (value: Value) => string },
];

const seconds = (nanoseconds: bigint): number => Number(nanoseconds) / 1e9;
const bytes = (kib: bigint): number => Number(kib) * 1024;
const number = (value: bigint): number => Number(value);

/** The states of a vCPU, by libvirt's number. */
const VCPU_STATES = ["offline", "running", "blocked"];

const VM = itself(undefined, (vm) => vm.sample);
const CPU = itself(CPU_TIMES, (vm) => vm.cpuTimes);
const MEMORY = itself(BALLOON, (vm) => vm.balloon);
const GUEST = itself(GUEST_MEMORY, (vm) => vm.guest);
const NIC = { need: DEVICES, label: "interface", of: ({ nics }: VmSeries) => nics };
const DISK = { need: DEVICES, label: "drive", of: ({ disks }: VmSeries) => disks };
const DISK_TIMES = { need: DISK_DETAILS, label: "drive", of: ({ diskDetails }: VmSeries) => diskDetails };
const VCPU = { need: VCPUS, label: "id", of: ({ vcpus }: VmSeries) => vcpus };

/** All metrics of VMs; docs/prometheus.md lists them. */
export const VM_METRICS: readonly VmMetric[] = [
  ...metrics(VM, [
    ["cpu_usage_seconds_total", seconds, ({ cpu }) => cpu.time, "CPU time of the vCPUs and of QEMU"],
    // KubeVirt's help calls it the maximum, and its value is that of virDomainGetInfo: the memory after ballooning.
    ["memory_domain_bytes", bytes, ({ memory }) => memory.current, "Memory of the VM, without what the balloon takes"],
    ["memory_actual_balloon_bytes", bytes, ({ memory }) => memory.current, "Memory that the balloon leaves to the VM"],
  ]),
  ...metrics(CPU, [
    ["cpu_user_usage_seconds_total", seconds, ({ user }) => user, "CPU time in user mode"],
    ["cpu_system_usage_seconds_total", seconds, ({ system }) => system, "CPU time in the host's kernel"],
  ]),
  ...metrics(MEMORY, [
    ["memory_resident_bytes", bytes, ({ rss }) => rss, "Memory of the host that the QEMU process occupies"],
    ["memory_available_bytes", bytes, ({ available }) => available, "Memory that the guest sees"],
    ["memory_usable_bytes", bytes, ({ usable }) => usable, "Memory that the guest can give away without swapping"],
    ["memory_cached_bytes", bytes, ({ diskCaches }) => diskCaches, "Memory that the guest uses as a cache of disks"],
    ["memory_swap_in_traffic_bytes", bytes, ({ swapIn }) => swapIn, "Bytes that the guest has read from its swap"],
    ["memory_swap_out_traffic_bytes", bytes, ({ swapOut }) => swapOut, "Bytes that the guest has written to its swap"],
    ["memory_pgmajfault_total", number, ({ majorFault }) => majorFault, "Page faults in the guest that needed a disk"],
    ["memory_pgminfault_total", number, ({ minorFault }) => minorFault, "Page faults in the guest that needed no disk"],
  ]),
  ...metrics(GUEST, [
    ["memory_unused_bytes", bytes, ({ unused }) => unused, "Memory that the guest does not use at all"],
  ]),
  ...metrics(NIC, [
    ["network_receive_bytes_total", number, ({ rxBytes }) => rxBytes, "Bytes received"],
    ["network_receive_packets_total", number, ({ rxPackets }) => rxPackets, "Packets received"],
    ["network_receive_errors_total", number, ({ rxErrors }) => rxErrors, "Errors while receiving"],
    ["network_receive_packets_dropped_total", number, ({ rxDrops }) => rxDrops, "Received packets that were dropped"],
    ["network_transmit_bytes_total", number, ({ txBytes }) => txBytes, "Bytes sent"],
    ["network_transmit_packets_total", number, ({ txPackets }) => txPackets, "Packets sent"],
    ["network_transmit_errors_total", number, ({ txErrors }) => txErrors, "Errors while sending"],
    ["network_transmit_packets_dropped_total", number, ({ txDrops }) => txDrops, "Packets to send that were dropped"],
  ]),
  traffic("network_traffic_bytes_total", "Bytes received and sent"),
  ...metrics(DISK, [
    ["storage_iops_read_total", number, ({ readRequests }) => readRequests, "Reads"],
    ["storage_iops_write_total", number, ({ writeRequests }) => writeRequests, "Writes"],
    ["storage_read_traffic_bytes_total", number, ({ readBytes }) => readBytes, "Bytes read"],
    ["storage_write_traffic_bytes_total", number, ({ writeBytes }) => writeBytes, "Bytes written"],
  ]),
  ...metrics(DISK_TIMES, [
    ["storage_read_times_seconds_total", seconds, ({ readNs }) => readNs, "Time of all reads"],
    ["storage_write_times_seconds_total", seconds, ({ writeNs }) => writeNs, "Time of all writes"],
    ["storage_flush_requests_total", number, ({ flushRequests }) => flushRequests, "Flushes"],
    ["storage_flush_times_seconds_total", seconds, ({ flushNs }) => flushNs, "Time of all flushes"],
  ]),
  ...metrics(VCPU, [
    [
      "vcpu_seconds_total",
      seconds,
      ({ cpuTimeNs }) => cpuTimeNs,
      "CPU time of the vCPU, under the state that it is in now",
      { label: "state", textOf: ({ state }) => VCPU_STATES[state] ?? "unknown" },
    ],
    [
      "vcpu_wait_seconds_total",
      seconds,
      ({ waitNs }) => waitNs,
      "Time that the vCPU has waited for a disk or for memory",
    ],
    [
      "vcpu_delay_seconds_total",
      seconds,
      ({ delayNs }) => delayNs,
      "Time that the vCPU was ready, but the host did not run it",
    ],
  ]),
];

function itself<Value>(need: StatsNeed | undefined, read: (vm: VmSeries) => Value | undefined): Part<Value> {
  return {
    need,
    of: (vm) => {
      const value = read(vm);
      return value === undefined ? [] : [{ label: "", value }];
    },
  };
}

function metrics<Value>({ need, label: own, of }: Part<Value>, rows: readonly Row<Value>[]): VmMetric[] {
  return rows.map(([suffix, unit, read, help, extra]) => {
    const name = `kubevirt_vmi_${suffix}`;
    return {
      name,
      type: name.endsWith("_total") ? "counter" : "gauge",
      help,
      need,
      labels: [...(own === undefined ? [] : [own]), "name", "namespace", "node", ...(extra ? [extra.label] : [])],
      lines(vm) {
        let text = "";
        for (const { label, value } of of(vm)) {
          const reported = read(value);
          if (reported === undefined) continue;
          const last = extra === undefined ? "" : `,${labelPair(extra.label, extra.textOf(value))}`;
          text += `${name}{${label}${vm.labels}${last}} ${unit(reported)}\n`;
        }
        return text;
      },
    };
  });
}

/** Returns the metric of both directions of a network interface, which differ in a label. */
function traffic(name: string, help: string): VmMetric {
  const of = (vm: VmSeries, type: "rx" | "tx"): string => {
    let text = "";
    for (const { label, value } of vm.nics) {
      const reported = type === "rx" ? value.rxBytes : value.txBytes;
      if (reported !== undefined)
        text += `kubevirt_vmi_${name}{${label}${vm.labels},type="${type}"} ${number(reported)}\n`;
    }
    return text;
  };
  return {
    name: `kubevirt_vmi_${name}`,
    type: "counter",
    help,
    need: DEVICES,
    labels: ["interface", "name", "namespace", "node", "type"],
    lines: (vm) => of(vm, "rx") + of(vm, "tx"),
  };
}
