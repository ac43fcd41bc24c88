import type { DiskSample, DomainSample, NicSample } from "../collection/domain-sample.ts";
import type { LatestVm } from "../collection/latest-samples.ts";
import { DISK_DETAILS, type DiskDetails } from "../collection/libvirt/disk-details.ts";
import { GUEST_MEMORY, type GuestMemory } from "../collection/libvirt/guest-memory.ts";
import { VCPUS, type VcpuSample } from "../collection/libvirt/vcpus.ts";
import { BALLOON, CPU_TIMES, DEVICES, reading } from "../collection/stats-needs.ts";
import { foreignText } from "../lib/display-text.ts";
import { labelPair } from "./metric.ts";

/** A part of a VM with series of its own. */
export interface Labeled<Value> {
  /** `drive="rootdisk",`, or an empty text for the VM itself. No two of a VM are equal. */
  readonly label: string;
  readonly value: Value;
}

/** A VM as Prometheus sees it: what its series are made of. */
export interface VmSeries {
  /** `name="web",namespace="shop",node="node1"`. No two VMs have the same. */
  readonly labels: string;
  readonly sample: DomainSample;
  readonly cpuTimes: DomainSample["cpu"] | undefined;
  readonly balloon: DomainSample["memory"] | undefined;
  readonly guest: GuestMemory | undefined;
  readonly nics: readonly Labeled<NicSample>[];
  readonly disks: readonly Labeled<DiskSample>[];
  readonly diskDetails: readonly Labeled<DiskDetails>[];
  readonly vcpus: readonly Labeled<VcpuSample>[];
}

/** Longer than any name of Kubernetes, a VM or a device. */
const MAX_LABEL = 256;

/** Returns the series of a VM. `node` is undefined on a host without a name; then the label is left out, like a namespace. */
export function seriesOf({ sample, part }: LatestVm, node: string | undefined): VmSeries {
  const { name, namespace } = sample.identity;
  const devices = part(DEVICES);
  const details = part(DISK_DETAILS);
  const memory = part(GUEST_MEMORY);
  const vcpus = part(VCPUS);
  const labels = [
    ["name", name],
    ["namespace", namespace],
    ["node", node],
  ] as const;
  return {
    labels: labels.flatMap(([label, text]) => (text === undefined ? [] : [pair(label, text)])).join(","),
    sample,
    cpuTimes: part(CPU_TIMES)?.cpu,
    balloon: part(BALLOON)?.memory,
    guest: memory && reading(memory, GUEST_MEMORY),
    nics: labeled(devices?.nics, ({ network, device }) => pair("interface", network ?? device)),
    disks: labeled(devices?.disks, driveOf),
    diskDetails: labeled(details && reading(details, DISK_DETAILS), driveOf),
    vcpus: labeled(vcpus && reading(vcpus, VCPUS), ({ number }) => pair("id", String(number))),
  };
}

function driveOf({ volume, device }: DiskSample): string {
  return pair("drive", volume ?? device);
}

function pair(label: string, text: string): string {
  return labelPair(label, foreignText(text, MAX_LABEL));
}

/** Returns the values with their labels. Of those with the same label only the first one: Prometheus rejects a series twice. */
function labeled<Value>(values: readonly Value[] | undefined, labelOf: (value: Value) => string): Labeled<Value>[] {
  const byLabel = new Map<string, Labeled<Value>>();
  for (const value of values ?? []) {
    const label = `${labelOf(value)},`;
    if (!byLabel.has(label)) byLabel.set(label, { label, value });
  }
  return [...byLabel.values()];
}

/** Characters of a line besides its labels; the longest name of a metric has 52. */
const LINE = 80;
/** Lines of a VM itself, and of each of its parts. */
const LINES = { vm: 14, nics: 10, disks: 4, diskDetails: 4, vcpus: 3 };
const PARTS = ["nics", "disks", "diskDetails", "vcpus"] as const;

/** Returns about how many bytes the lines of a VM have. */
export function bytesOf(vm: VmSeries): number {
  const own = LINE + vm.labels.length;
  let bytes = LINES.vm * own;
  for (const part of PARTS) for (const { label } of vm[part]) bytes += LINES[part] * (own + label.length);
  return bytes;
}

/** Returns the VM with only this share of its devices and vCPUs, the first ones of each kind. */
export function withPart(vm: VmSeries, share: number): VmSeries {
  if (share >= 1) return vm;
  const first = <Value>(values: readonly Value[]): readonly Value[] =>
    values.slice(0, Math.floor(values.length * share));
  return {
    ...vm,
    nics: first(vm.nics),
    disks: first(vm.disks),
    diskDetails: first(vm.diskDetails),
    vcpus: first(vm.vcpus),
  };
}
