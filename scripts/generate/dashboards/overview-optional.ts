import {
  BY_NODE,
  BY_VM,
  FILL_STEPS,
  PAUSED_VMS,
  PERCENT_STEPS,
  STEAL_STEPS,
  disks,
  latencyPanels,
  memory,
  node,
  overcommit,
  steal,
  stealPanel,
  usedMemory,
  type Steps,
} from "./optional-panels.ts";
import type { Panel, Section } from "./panel.ts";
import { VM_TAGS, type Query } from "./query.ts";

function top(
  title: string,
  unit: string,
  { measurement, value }: Pick<Query, "measurement" | "value">,
  description: string,
  steps?: Steps,
): Panel<Query> {
  const by = measurement === "vm_disks" ? [...VM_TAGS, "device"] : VM_TAGS;
  return {
    title,
    unit,
    description: `${description} Average over the time shown.`,
    kind: "table",
    ...(steps !== undefined && { steps }),
    asked: [{ measurement, value, by, legend: "" }],
  };
}

export const NODE_OPTIONAL: readonly Section<Query>[] = [
  {
    title: "Overcommit and steal time (families Node and Vcpus)",
    optional: true,
    panels: [
      ...overcommit({ by: [], legend: "node" }, 8),
      {
        title: "Memory of the node",
        description: "All memory of the node, and memory that nothing uses. Needs the family Node.",
        unit: "bytes",
        kind: "series",
        asked: [
          node("{memory_kb} * 1024.0", { by: [], legend: "all" }),
          node("{memory_free_kb} * 1024.0", { by: [], legend: "free" }),
        ],
      },
      stealPanel("Steal time of the node's VMs", { by: [], legend: "average of all vCPUs" }, 8),
      stealPanel("Steal time, by VM", BY_VM, 8),
    ],
  },
  {
    title: "Latency, memory and paused VMs (families Disks, Memory and Status)",
    optional: true,
    panels: [...latencyPanels(BY_VM, 8), usedMemory("Memory in use, by VM", BY_VM, 8), PAUSED_VMS],
  },
];

export const FLEET_OPTIONAL: readonly Section<Query>[] = [
  {
    title: "Overcommit and steal time (families Node and Vcpus)",
    optional: true,
    panels: [...overcommit(BY_NODE, 8), stealPanel("Steal time, by node", BY_NODE, 24)],
  },
  {
    title: "VMs with the most steal time, latency and memory in use (families Vcpus, Disks, Memory and Status)",
    optional: true,
    panels: [
      top("Steal time", "percent", steal(BY_VM), "Average of its vCPUs. Needs the family Vcpus.", STEAL_STEPS),
      top(
        "Read latency",
        "µs",
        disks("{rd_latency_us}", BY_VM),
        "How long a read request takes. Needs the family Disks.",
      ),
      top(
        "Write latency",
        "µs",
        disks("{wr_latency_us}", BY_VM),
        "How long a write request takes. Needs the family Disks.",
      ),
      top(
        "Fill level",
        "percent",
        disks("{fill_percent}", BY_VM),
        "Allocated bytes of the size that the guest sees. Needs the family Disks.",
        FILL_STEPS,
      ),
      top("Memory in use", "percent", memory("{used_percent}", BY_VM), "Needs the family Memory.", PERCENT_STEPS),
      PAUSED_VMS,
    ],
  },
];
