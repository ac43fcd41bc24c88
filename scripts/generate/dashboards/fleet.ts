import type { Panel, Section } from "./panel.ts";
import { VM_TAGS, type Query } from "./query.ts";

function overAll(value: string, over: "sum" | "count" = "sum"): Query {
  return { measurement: "vm_totals", value, by: [], legend: "all", over };
}

function byNode(value: string, over: "sum" | "count" = "sum"): Query {
  return { ...overAll(value, over), by: ["node"], legend: "{node}" };
}

function top(title: string, unit: string, value: string, description: string): Panel<Query> {
  const query: Query = { measurement: "vm_totals", value, by: VM_TAGS, legend: "" };
  return { title, unit, description: `${description} Average over the time shown.`, kind: "table", asked: [query] };
}

export const FLEET_PANELS: readonly Section<Query>[] = [
  {
    title: "All",
    panels: [
      {
        title: "VMs, most at once",
        description: "The highest number of VMs at one time.",
        unit: "none",
        kind: "stat",
        calculation: "max",
        asked: [overAll("{cpus}", "count")],
      },
      {
        title: "vCPUs, most at once",
        description: "The highest number of vCPUs of all VMs at one time.",
        unit: "none",
        kind: "stat",
        calculation: "max",
        decimals: 0,
        asked: [overAll("{cpus}")],
      },
      {
        title: "CPU in use",
        description: "CPU time of all VMs, as the number of CPUs that it keeps busy; average over the time shown.",
        unit: "suffix:cores",
        kind: "stat",
        calculation: "mean",
        decimals: 1,
        asked: [overAll("{cputime/s} / 1000000000.0")],
      },
      {
        title: "Resident memory",
        description: "Memory of the nodes that the VMs' QEMU processes occupy; average over the time shown.",
        unit: "bytes",
        kind: "stat",
        calculation: "mean",
        asked: [overAll("{memrss} * 1024.0")],
      },
      {
        title: "Disk traffic",
        description: "Read and written by all VMs; average over the time shown.",
        unit: "binBps",
        kind: "stat",
        calculation: "mean",
        asked: [overAll("{disk_rd_bytes/s} + {disk_wr_bytes/s}")],
      },
      {
        title: "Network traffic",
        description:
          "Received and sent by all VMs; average over the time shown. Traffic between two VMs counts at both.",
        unit: "binBps",
        kind: "stat",
        calculation: "mean",
        asked: [overAll("{net_rxbytes/s} + {net_txbytes/s}")],
      },
    ],
  },
  {
    title: "Nodes",
    panels: [
      {
        title: "VMs, by node",
        description: "VMs with a sample. During a live migration one point may count a VM at both nodes.",
        unit: "none",
        kind: "series",
        asked: [byNode("{cpus}", "count")],
      },
      {
        title: "CPU in use, by node",
        description: "CPU time of the VMs of each node, as the number of CPUs that it keeps busy.",
        unit: "suffix:cores",
        kind: "series",
        asked: [byNode("{cputime/s} / 1000000000.0")],
      },
      {
        title: "Resident memory, by node",
        description: "Memory of each node that the VMs' QEMU processes occupy.",
        unit: "bytes",
        kind: "series",
        asked: [byNode("{memrss} * 1024.0")],
      },
    ],
  },
  {
    title: "VMs with the most",
    panels: [
      top("CPU in use", "suffix:cores", "{cputime/s} / 1000000000.0", "CPUs that a VM keeps busy."),
      top("CPU, of its vCPUs", "percent", "{cputime/s} / 10000000.0 / {cpus}", "Part of what its vCPUs could use."),
      top("Resident memory", "bytes", "{memrss} * 1024.0", "Memory of the node that its QEMU process occupies."),
      top("Disk traffic", "binBps", "{disk_rd_bytes/s} + {disk_wr_bytes/s}", "Bytes read and written."),
      top("Disk requests", "iops", "{disk_rd_req/s} + {disk_wr_reqs/s}", "Reads and writes."),
      top("Network traffic", "binBps", "{net_rxbytes/s} + {net_txbytes/s}", "Bytes received and sent."),
      top("Packets", "pps", "{net_rxpackets/s} + {net_txpackets/s}", "Packets received and sent."),
      top(
        "Dropped and faulty packets",
        "pps",
        "{net_rxdrops/s} + {net_txdrops/s} + {net_rxerrors/s} + {net_txerrors/s}",
        "Packets of either direction that were dropped or had errors.",
      ),
      top("Major page faults", "cps", "{memmajor_fault/s}", "Page faults of the guest that wait for a disk."),
    ],
  },
];
