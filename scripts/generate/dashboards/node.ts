import type { Section } from "./panel.ts";
import { VM_TAGS, type Query } from "./query.ts";

type Panels = readonly Section<Query>[];

/** A query by VM, over the sums of its devices. */
function perVm(value: string): Query {
  return { measurement: "vm_totals", value, by: VM_TAGS, legend: "{namespace}/{name}" };
}

function total(value: string, over: "sum" | "count" = "sum"): Query {
  return { ...perVm(value), by: [], legend: "total", over };
}

export const NODE_PANELS: Panels = [
  {
    title: "Node",
    panels: [
      {
        title: "VMs, most at once",
        description: "The highest number of VMs on the node at one time.",
        unit: "none",
        kind: "stat",
        calculation: "max",
        asked: [total("{cpus}", "count")],
      },
      {
        title: "vCPUs, most at once",
        description: "The highest number of vCPUs of the VMs on the node at one time.",
        unit: "none",
        kind: "stat",
        calculation: "max",
        decimals: 0,
        asked: [total("{cpus}")],
      },
      {
        title: "CPU in use",
        description: "CPU time of all VMs, as the number of CPUs that it keeps busy; average over the time shown.",
        unit: "suffix:cores",
        kind: "stat",
        calculation: "mean",
        decimals: 2,
        asked: [total("{cputime/s} / 1000000000.0")],
      },
      {
        title: "Resident memory",
        description: "Memory of the node that the VMs' QEMU processes occupy; average over the time shown.",
        unit: "bytes",
        kind: "stat",
        calculation: "mean",
        asked: [total("{memrss} * 1024.0")],
      },
      {
        title: "Disk traffic",
        description: "Read and written by all VMs; average over the time shown.",
        unit: "binBps",
        kind: "stat",
        calculation: "mean",
        asked: [total("{disk_rd_bytes/s} + {disk_wr_bytes/s}")],
      },
      {
        title: "Network traffic",
        description: "Received and sent by all VMs; average over the time shown.",
        unit: "binBps",
        kind: "stat",
        calculation: "mean",
        asked: [total("{net_rxbytes/s} + {net_txbytes/s}")],
      },
    ],
  },
  {
    title: "CPU and memory",
    panels: [
      {
        title: "CPU in use, by VM",
        description: "CPU time of each VM with its emulator threads, as the number of CPUs that it keeps busy.",
        unit: "suffix:cores",
        kind: "stack",
        asked: [perVm("{cputime/s} / 1000000000.0")],
      },
      {
        title: "CPU, of the VM's vCPUs",
        description:
          "CPU time of each VM as a share of what its vCPUs could use. The emulator's threads count too, so it may exceed 100 %.",
        unit: "percent",
        kind: "series",
        width: 12,
        steps: [
          [0, "green"],
          [90, "orange"],
        ],
        asked: [perVm("{cputime/s} / 10000000.0 / {cpus}")],
      },
      {
        title: "Resident memory, by VM",
        description: "Memory of the node that each VM's QEMU process occupies, with the emulator's own memory.",
        unit: "bytes",
        kind: "stack",
        asked: [perVm("{memrss} * 1024.0")],
      },
      {
        title: "Memory given to VMs",
        description: "Memory that each guest has now: the balloon's current size.",
        unit: "bytes",
        kind: "stack",
        asked: [perVm("{memactual} * 1024.0")],
      },
    ],
  },
  {
    title: "Disks",
    panels: [
      {
        title: "Read, by VM",
        description: "Bytes that each VM reads from its disks.",
        unit: "binBps",
        kind: "series",
        asked: [perVm("{disk_rd_bytes/s}")],
      },
      {
        title: "Written, by VM",
        description: "Bytes that each VM writes to its disks.",
        unit: "binBps",
        kind: "series",
        asked: [perVm("{disk_wr_bytes/s}")],
      },
      {
        title: "Requests, by VM",
        description: "Read and write requests of each VM to its disks.",
        unit: "iops",
        kind: "series",
        asked: [perVm("{disk_rd_req/s} + {disk_wr_reqs/s}")],
      },
    ],
  },
  {
    title: "Network",
    panels: [
      {
        title: "Received, by VM",
        description: "Bytes that each VM receives.",
        unit: "binBps",
        kind: "series",
        asked: [perVm("{net_rxbytes/s}")],
      },
      {
        title: "Sent, by VM",
        description: "Bytes that each VM sends.",
        unit: "binBps",
        kind: "series",
        asked: [perVm("{net_txbytes/s}")],
      },
      {
        title: "Dropped and faulty packets, by VM",
        description: "Packets of either direction that were dropped or had errors.",
        unit: "pps",
        kind: "series",
        asked: [perVm("{net_rxdrops/s} + {net_txdrops/s} + {net_rxerrors/s} + {net_txerrors/s}")],
      },
    ],
  },
];
