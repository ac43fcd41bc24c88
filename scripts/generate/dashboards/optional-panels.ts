// Panels and queries of the families that are off by default.
import type { Panel } from "./panel.ts";
import { VM_TAGS, type Query } from "./query.ts";

export type Steps = NonNullable<Panel<Query>["steps"]>;

export const PERCENT_STEPS: Steps = [
  [0, "green"],
  [80, "orange"],
  [95, "red"],
];
export const FILL_STEPS: Steps = [
  [0, "green"],
  [90, "red"],
];
export const STEAL_STEPS: Steps = [
  [0, "green"],
  [10, "red"],
];

/**
 * Words of `reason` of paused VMs, except those of a moment in the life of every VM. `post-copy` is also the reason of a VM that runs on
 * the target of its migration.
 */
const PAUSED = [
  "user",
  "migration",
  "save",
  "dump",
  "io-error",
  "watchdog",
  "snapshot",
  "post-copy-failed",
  "api-error",
  "crashed",
];

type Where = Pick<Query, "by" | "legend">;

export const OF_THE_VM: Where = { by: [], legend: "VM" };
export const BY_VM: Where = { by: VM_TAGS, legend: "{namespace}/{name}" };
export const BY_NODE: Where = { by: ["node"], legend: "{node}" };
export const BY_DISK: Where = { by: ["device", "volume"], legend: "{device} {volume}" };
export const BY_VCPU: Where = { by: ["vcpu"], legend: "vCPU {vcpu}" };

/** Time that vCPUs were ready to run and did not, of the time that passed: the average over the vCPUs of each line. */
export function steal(where: Where): Query {
  return { measurement: "vm_vcpus", value: "{delay_ns/s} / 10000000.0", ...where };
}

export function disks(value: string, { by, legend }: Where, prefix = ""): Query {
  return { measurement: "vm_disks", value, by, legend: `${prefix}${legend}` };
}

export function memory(value: string, where: Where): Query {
  return { measurement: "vm_memory", value, ...where };
}

export function node(value: string, { by, legend }: Where = BY_NODE): Query {
  return { measurement: "vm_node", value, by, legend };
}

const NODE_CPU = "({cpu_user_ns/s} + {cpu_kernel_ns/s}) / {cpus} / 10000000.0";

export function stealPanel(title: string, where: Where, width: number): Panel<Query> {
  return {
    title,
    description:
      "Time that vCPUs were ready to run while the node ran something else, of all time. Above 10 % the guests are slow: the node has too few CPUs. Needs the family Vcpus.",
    unit: "percent",
    kind: "series",
    sparse: true,
    width,
    steps: STEAL_STEPS,
    asked: [steal(where)],
  };
}

export function latencyPanels(where: Where, width: number): readonly Panel<Query>[] {
  const each = (title: string, field: string, description: string): Panel<Query> => ({
    title,
    description: `${description} Average over the samples that had such requests. Needs the family Disks.`,
    unit: "µs",
    kind: "series",
    width,
    asked: [disks(`{${field}}`, where)],
  });
  return [
    each("Read latency", "rd_latency_us", "How long a read request takes."),
    each("Write latency", "wr_latency_us", "How long a write request takes."),
  ];
}

export function usedMemory(title: string, where: Where, width: number): Panel<Query> {
  return {
    title,
    description:
      "Memory that the guest uses, of the memory that it sees. No line without a balloon driver. Needs the family Memory.",
    unit: "percent",
    kind: "series",
    width,
    steps: PERCENT_STEPS,
    asked: [memory("{used_percent}", where)],
  };
}

export function overcommit(where: Where, width: number): readonly Panel<Query>[] {
  return [
    {
      title: "vCPUs for each CPU",
      description:
        "vCPUs of all VMs, for each CPU of the node. Above 1 the node is overcommitted. Needs the family Node.",
      unit: "none",
      kind: "series",
      width,
      decimals: 2,
      asked: [node("{vcpus} / {cpus}", where)],
    },
    {
      title: "Memory promised to VMs",
      description:
        "Maximum memory of all VMs, of the memory of the node. Above 100 % not all of them can have it. Needs the family Node.",
      unit: "percent",
      kind: "series",
      width,
      steps: [
        [0, "green"],
        [100, "orange"],
      ],
      asked: [node("{memory_max_kb} / {memory_kb} * 100.0", where)],
    },
    {
      title: "CPU of the node",
      description: "Time that the node's CPUs spent in programs and in the kernel, of all time. Needs the family Node.",
      unit: "percent",
      kind: "series",
      width,
      steps: PERCENT_STEPS,
      asked: [node(NODE_CPU, where)],
    },
  ];
}

export const PAUSED_VMS: Panel<Query> = {
  title: "Paused VMs",
  description: "VMs that were paused at their last sample, and why. Needs the family Status.",
  unit: "none",
  kind: "words",
  asked: [{ measurement: "vm_status", value: "{reason}", by: VM_TAGS, legend: "", words: PAUSED }],
};
