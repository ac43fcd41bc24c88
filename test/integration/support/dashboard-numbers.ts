import { cpus, totalmem } from "node:os";
import type { DashboardData } from "./dashboard-data.ts";
import type { AnswerRow } from "./dashboard-servers.ts";
import type { SimulatedNode } from "./simulated-node.ts";

export const SUBJECTS = ["node", "vm", "fleet"] as const;
export type Subject = (typeof SUBJECTS)[number];

const WEB = "shop_web.1";
const DISK_BYTES = ["block.0.rd.bytes", "block.0.wr.bytes", "block.1.rd.bytes", "block.1.wr.bytes"];
const DISK_REQUESTS = ["block.0.rd.reqs", "block.0.wr.reqs", "block.1.rd.reqs", "block.1.wr.reqs"];
const NIC_BYTES = ["net.0.rx.bytes", "net.0.tx.bytes", "net.1.rx.bytes", "net.1.tx.bytes"];
/** The VMs of the first node. */
export const ON_FIRST = [WEB, "shop_db", "lab_batch"];

/** Expected averages from the simulator's counters, over the buckets of the rows with these tags. */
export const NUMBERS: readonly (readonly [
  subject: Subject,
  title: string,
  index: number,
  tags: AnswerRow,
  expected: (...nodes: DashboardData["nodes"]) => number,
])[] = [
  ["node", "CPU in use, by VM", 0, { namespace: "shop", name: "web.1" }, (first) => first.rate(WEB, "cpu.time") / 1e9],
  [
    "node",
    "CPU, of the VM's vCPUs",
    0,
    { name: "web.1" },
    (first) => first.rate(WEB, "cpu.time") / 1e7 / first.vcpus(WEB),
  ],
  ["node", "VMs, most at once", 0, {}, () => ON_FIRST.length],
  ["node", "vCPUs, most at once", 0, {}, (first) => sum(ON_FIRST.map((vm) => first.vcpus(vm)))],
  ["node", "Disk traffic", 0, {}, (first) => sum(ON_FIRST.map((vm) => first.rate(vm, ...DISK_BYTES)))],
  ["node", "Network traffic", 0, {}, (first) => sum(ON_FIRST.map((vm) => first.rate(vm, ...NIC_BYTES)))],
  ["node", "Requests, by VM", 0, { name: "web.1" }, (first) => first.rate(WEB, ...DISK_REQUESTS)],
  ["vm", "CPU time", 1, {}, (first) => first.rate(WEB, "cpu.user") / 1e9],
  ["vm", "State, by node", 0, { node: "node-1" }, () => 1],
  ["vm", "vCPUs", 0, {}, (first) => first.vcpus(WEB)],
  ["vm", "Memory", 0, {}, (first) => first.value(WEB, "balloon.maximum") * 1024],
  ["vm", "Page faults", 1, {}, (first) => first.rate(WEB, "balloon.minor_fault")],
  ["vm", "Disk traffic", 0, { device: "vdb", volume: "volume-vdb" }, (first) => first.rate(WEB, "block.1.rd.bytes")],
  [
    "vm",
    "Network traffic",
    1,
    { device: "vnet1", network: "network-vnet1" },
    (first) => first.rate(WEB, "net.1.tx.bytes"),
  ],
  ["vm", "Steal time, by vCPU", 0, { vcpu: "0" }, (first) => first.rate(WEB, "vcpu.0.delay") / 1e7],
  ["vm", "Read latency", 0, { device: "vdb", volume: "volume-vdb" }, () => 500],
  ["vm", "Write latency", 0, { device: "vda", volume: "volume-vda" }, () => 600],
  [
    "vm",
    "Requests in progress",
    0,
    { device: "vda" },
    (first) => first.rate(WEB, "block.0.rd.times", "block.0.wr.times") / 1e9,
  ],
  ["vm", "Fill level", 0, { device: "vda" }, (first) => fill(first, 0)],
  ["vm", "Memory in use", 0, {}, (first) => used(first)],
  ["vm", "QEMU is stuck", 0, {}, () => 0],
  ["node", "Steal time, by VM", 0, { name: "web.1" }, (first) => steal(first, WEB)],
  ["node", "Steal time of the node's VMs", 0, {}, (first) => meanSteal(first, ON_FIRST)],
  ["node", "Read latency", 0, { name: "web.1" }, () => 375],
  ["node", "vCPUs for each CPU", 0, {}, (first) => sum(ON_FIRST.map((vm) => first.vcpus(vm))) / cpus().length],
  [
    "node",
    "Memory promised to VMs",
    0,
    {},
    (first) => (100 * sum(ON_FIRST.map((vm) => first.value(vm, "balloon.maximum"))) * 1024) / totalmem(),
  ],
  ["fleet", "Steal time, by node", 0, { node: "node-2" }, (_, second) => steal(second, "shop_cache")],
  ["fleet", "VMs, by node", 0, { node: "node-1" }, () => ON_FIRST.length],
  ["fleet", "VMs, most at once", 0, {}, () => ON_FIRST.length + 1],
  ["fleet", "CPU in use, by node", 0, { node: "node-2" }, (_, second) => second.rate("shop_cache", "cpu.time") / 1e9],
];

/** Returns the steal time of each vCPU, in percent. */
function stealOfEach(node: SimulatedNode, vm: string): readonly number[] {
  return Array.from({ length: node.vcpus(vm) }, (_, vcpu) => node.rate(vm, `vcpu.${vcpu}.delay`) / 1e7);
}

function steal(node: SimulatedNode, vm: string): number {
  return mean(stealOfEach(node, vm));
}

function meanSteal(node: SimulatedNode, vms: readonly string[]): number {
  return mean(vms.flatMap((vm) => stealOfEach(node, vm)));
}

function fill(node: SimulatedNode, disk: number): number {
  return (100 * node.value(WEB, `block.${disk}.allocation`)) / node.value(WEB, `block.${disk}.capacity`);
}

function used(node: SimulatedNode): number {
  const available = node.value(WEB, "balloon.available");
  return (100 * (available - node.value(WEB, "balloon.usable"))) / available;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

export function mean(numbers: readonly number[]): number {
  return sum(numbers) / numbers.length;
}
