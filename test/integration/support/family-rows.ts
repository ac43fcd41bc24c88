import {
  DISK_COUNTERS,
  DISK_DETAIL_COUNTERS,
  MEASUREMENT_FIELDS,
  NIC_COUNTERS,
  type Counter,
} from "../../../src/contract.ts";
import type { Views } from "./virsh-views.ts";

// Field by field: what libvirt's own client shows for it.

/** Returns what virsh shows for a field of a part of the guest, such as `vda` or the vCPU `0`; undefined if it shows nothing. */
export type Shown = (views: Views, part: string) => string | number | undefined;

/** Why a guest on a plain host of libvirt 9.0 has no value. `absent` are names that virsh would show. */
export interface LeftOut {
  readonly reason: string;
  readonly absent?: RegExp;
}

type Rows<Value> = Readonly<Record<string, Readonly<Record<string, Value>>>>;

const text =
  (name: string): Shown =>
  (views) =>
    views.get(name);
const stat = (name: string): Shown => text(`domstats ${name}`);
const number =
  (name: string): Shown =>
  (views) =>
    numberIn(views.get(name));
const count =
  (name: string): Shown =>
  (views) =>
    (views.get(name) ?? "").split("\n").filter(Boolean).length;

/** Returns the first number in a text. */
function numberIn(value: string | undefined): number | undefined {
  const digits = /\d+/.exec(value ?? "")?.[0];
  return digits === undefined ? undefined : Number(digits);
}

function statOf(views: Views, name: string): number {
  return Number(views.get(`domstats ${name}`));
}

/** Returns the name that the bulk statistics give to a device: `block.0` for vda. */
function prefixOf(views: Views, part: string): string {
  const [key = ""] =
    [...views].find(([name, value]) => /^domstats (block|net)\.\d+\.name$/.test(name) && value === part) ?? [];
  return key.slice("domstats ".length, -".name".length);
}

const ofDevice =
  (end: string): Shown =>
  (views, part) =>
    views.get(`domstats ${prefixOf(views, part)}.${end}`);

/** The value of the command of virsh, which must also be that of the bulk statistics. */
const both =
  (one: Shown, other: Shown): Shown =>
  (views, part) => {
    const [first, second] = [one(views, part), other(views, part)];
    return String(first) === String(second) ? first : `${first} or ${second}`;
  };

const counters = (kind: "net" | "block", table: Readonly<Record<string, Counter>>): Readonly<Record<string, Shown>> =>
  Object.fromEntries(
    Object.values(table).map(({ field, stat: end, absent }) => [
      field,
      (views: Views, part: string) => {
        const prefix = prefixOf(views, part);
        return prefix.startsWith(`${kind}.`)
          ? (views.get(`domstats ${prefix}.${end}`) ?? absent?.toString())
          : undefined;
      },
    ]),
  );

/** Sums of the devices that have lines: every NIC, and every disk that is no CD-ROM. */
const sums = (
  kind: "net" | "block",
  prefix: string,
  table: Readonly<Record<string, Counter>>,
): Readonly<Record<string, Shown>> =>
  Object.fromEntries(
    Object.values(table).map(({ field, stat: end }) => [
      prefix + field,
      (views: Views) => {
        const devices = [...views].filter(([name]) => name.startsWith(`domstats ${kind}.`) && name.endsWith(".name"));
        const own = devices.filter(([, device]) => kind === "net" || views.get(`domblklist ${device}`) === "disk");
        return own.reduce((sum, [name]) => sum + Number(views.get(name.replace(/name$/, end)) ?? 0), 0);
      },
    ]),
  );

const sumOverVcpus =
  (end: string): Shown =>
  (views) =>
    [...views].reduce(
      (sum, [name, value]) => sum + (/^domstats vcpu\.\d+\.(.*)$/.exec(name)?.[1] === end ? Number(value) : 0),
      0,
    );

/** Returns an attribute or text in the element of a device in the XML. */
const inElement =
  (element: "disk" | "interface", pattern: RegExp): Shown =>
  (views, part) => {
    const elements = (views.get("dumpxml") ?? "").match(new RegExp(`<${element} [^]*?</${element}>`, "g")) ?? [];
    return pattern.exec(elements.find((one) => one.includes(`<target dev='${part}'`)) ?? "")?.[1];
  };
const inXml =
  (pattern: RegExp): Shown =>
  (views) =>
    pattern.exec(views.get("dumpxml") ?? "")?.[1];

const STATES = ["", "running", "", "paused"];
const VCPU_STATES = ["offline", "running", "blocked"];
const firstWord = (views: Views): string => views.get("domstate")?.split(" ")[0] ?? "";

/** The fields that virsh shows. A number lies between what it shows before and after; that of a paused guest is the same. */
export const SHOWN: Rows<Shown> = {
  vm_metrics: {
    state: firstWord,
    cpu_count: both(number("dominfo CPU(s)"), stat("vcpu.current")),
    memory_max_kb: both(number("dominfo Max memory"), stat("balloon.maximum")),
    memory_used_kb: both(number("dommemstat actual"), stat("balloon.current")),
    cputime_ns: stat("cpu.time"),
  },
  vm_devices: { ...counters("net", NIC_COUNTERS), ...counters("block", DISK_COUNTERS) },
  vm_totals: {
    ...sums("net", "net_", NIC_COUNTERS),
    ...sums("block", "disk_", DISK_COUNTERS),
    memactual: number("dommemstat actual"),
    memrss: stat("balloon.rss"),
    memavailable: number("dommemstat available"),
    memusable: number("dommemstat usable"),
    memswap_in: number("dommemstat swap_in"),
    memswap_out: number("dommemstat swap_out"),
    memmajor_fault: number("dommemstat major_fault"),
    memminor_fault: number("dommemstat minor_fault"),
    memdisk_cache: number("dommemstat disk_caches"),
    timeusr: stat("cpu.user"),
    timesys: stat("cpu.system"),
    cpus: number("dominfo CPU(s)"),
    cputime: stat("cpu.time"),
    state: (views) => STATES.indexOf(firstWord(views)),
  },
  vm_disks: {
    ...counters("block", DISK_DETAIL_COUNTERS),
    capacity_bytes: both((views, part) => views.get(`domblkinfo ${part} Capacity`), ofDevice("capacity")),
    // Of a raw file, domblkinfo shows the blocks of the file, and QEMU the end of what the guest has written.
    fill_percent: (views, part) =>
      (Number(ofDevice("allocation")(views, part)) / Number(ofDevice("capacity")(views, part))) * 100,
  },
  vm_memory: {
    unused_kb: both(number("dommemstat unused"), stat("balloon.unused")),
    last_update_s: both(number("dommemstat last_update"), stat("balloon.last-update")),
    hugetlb_pgalloc: number("dommemstat hugetlb_pgalloc"),
    hugetlb_pgfail: number("dommemstat hugetlb_pgfail"),
    ballooned_kb: (views) => statOf(views, "balloon.maximum") - statOf(views, "balloon.current"),
    used_kb: (views) => statOf(views, "balloon.available") - statOf(views, "balloon.usable"),
    overhead_kb: (views) => statOf(views, "balloon.rss") - statOf(views, "balloon.current"),
    used_percent: (views) => {
      const available = statOf(views, "balloon.available");
      return ((available - statOf(views, "balloon.usable")) / available) * 100;
    },
  },
  vm_status: {
    reason: (views) => /\((.*)\)/.exec(views.get("domstate") ?? "")?.[1],
    reason_code: stat("state.reason"),
    stuck: (views) => (views.get("domcontrol") === "ok" ? 0 : 1),
    control: text("domcontrol"),
    // Virsh adds a time to other words only.
    control_ms: (views) => (views.get("domcontrol") === "ok" ? 0 : undefined),
  },
  vm_cpu: {
    haltpoll_success_ns: stat("cpu.haltpoll.success.time"),
    haltpoll_fail_ns: stat("cpu.haltpoll.fail.time"),
    vcpus_max: stat("vcpu.maximum"),
    steal_ns: sumOverVcpus("delay"),
    wait_ns: sumOverVcpus("wait"),
  },
  vm_vcpus: {
    state: both(
      (views, part) => views.get(`domstats vcpu.${part}.state`),
      (views, part) => VCPU_STATES.indexOf(views.get(`vcpuinfo ${part} State`) ?? ""),
    ),
    time_ns: (views, part) => views.get(`domstats vcpu.${part}.time`),
    cpu: (views, part) => numberIn(views.get(`vcpuinfo ${part} CPU`)),
    wait_ns: (views, part) => views.get(`domstats vcpu.${part}.wait`),
    delay_ns: (views, part) => views.get(`domstats vcpu.${part}.delay`),
  },
  vm_info: {
    machine: inXml(/ machine='([^']*)'/),
    arch: inXml(/ arch='([^']*)'/),
    cpu_model: inXml(/<model[^>]*>([^<]*)<\/model>/),
    // The guest has no loader.
    firmware: (views) => (views.get("dumpxml")?.includes("<loader") === true ? undefined : "bios"),
    pinned_vcpus: inXml(/<vcpupin vcpu='(\d+)'/),
    affinity: (views) => `0:${views.get("vcpupin 0")}`,
    nics: (views) => [...views.keys()].filter((name) => /^domiflist .* kind$/.test(name)).length,
    disks: (views) => [...views].filter(([name, kind]) => name.startsWith("domblklist ") && kind === "disk").length,
  },
  vm_disk_info: {
    bus: inElement("disk", /<target [^>]*bus='(\w+)'/),
    cache: inElement("disk", /<driver [^>]*cache='(\w+)'/),
    discard: inElement("disk", /<driver [^>]*discard='(\w+)'/),
    format: inElement("disk", /<driver [^>]*type='(\w+)'/),
    serial: inElement("disk", /<serial>(.*)<\/serial>/),
    kind: (views, part) => views.get(`domblklist ${part}`),
    iops_limit: (views, part) => numberIn(views.get(`blkdeviotune ${part} total_iops_sec`)) || undefined,
    bytes_limit: (views, part) => numberIn(views.get(`blkdeviotune ${part} total_bytes_sec`)) || undefined,
  },
  vm_nic_info: {
    mac: (views, part) => views.get(`domiflist ${part} mac`),
    model: (views, part) => views.get(`domiflist ${part} model`),
    kind: (views, part) => views.get(`domiflist ${part} kind`),
    source: (views, part) => {
      const source = views.get(`domiflist ${part} source`);
      return source === "-" ? undefined : source;
    },
    link: (views, part) => views.get(`domif-getlink ${part}`),
    mtu: (views, part) => numberIn(String(inElement("interface", /<mtu size='(\d+)'/)(views, part) ?? "")),
  },
  vm_node: {
    vms: count("list --name"),
    vms_running: count("list --name --state-running"),
    vms_paused: count("list --name --state-paused"),
    vms_stuck: (views) => (views.get("domcontrol") === "ok" ? 0 : 1),
    vcpus: number("dominfo CPU(s)"),
    memory_max_kb: stat("balloon.maximum"),
    memory_rss_kb: stat("balloon.rss"),
    cputime_ns: stat("cpu.time"),
    cpus: number("nodeinfo CPU(s)"),
    // Nodeinfo adds up the NUMA nodes, which have less on some virtual machines.
    memory_kb: number("nodememstats total"),
    cpu_user_ns: text("nodecpustats user"),
    cpu_kernel_ns: text("nodecpustats system"),
    cpu_idle_ns: text("nodecpustats idle"),
    cpu_iowait_ns: text("nodecpustats iowait"),
    libvirt_version: (views) => views.get("version Running against daemon"),
    qemu_version: (views) => views.get("version Running hypervisor")?.replace("QEMU ", ""),
  },
};

const OF_VMI = { reason: "a VMI has it, and a plain host has none" };

/** The fields that the guest cannot have, with the reason. */
export const LEFT_OUT: Rows<LeftOut> = {
  vm_info: Object.fromEntries(
    [
      ...["uid", "pod", "instance_type", "preference", "guest_os", "phase", "cpu_request_milli", "cpu_limit_milli"],
      ...["memory_request_kb", "memory_limit_kb", "migratable", "launcher_outdated", "agent_connected"],
    ].map((field) => [field, OF_VMI]),
  ),
  vm_disk_info: { pvc: OF_VMI },
  vm_nic_info: { address: OF_VMI },
  vm_jobs: {
    remaining_ms: { reason: "QEMU does not say how long a migration will take", absent: /time_remaining/ },
  },
};

/** The rows of the schema: every field of every measurement. */
export const ROWS: readonly (readonly [measurement: string, field: string])[] = Object.entries(
  MEASUREMENT_FIELDS,
).flatMap(([measurement, fields]) => Object.keys(fields).map((field) => [measurement, field] as const));
