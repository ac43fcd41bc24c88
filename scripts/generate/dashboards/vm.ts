import type { Section } from "./panel.ts";
import type { Query } from "./query.ts";

/** libvirt's virDomainState. */
const STATES: readonly (readonly [code: number, text: string, color: string])[] = [
  [0, "no state", "text"],
  [1, "running", "green"],
  [2, "blocked", "orange"],
  [3, "paused", "yellow"],
  [4, "shutting down", "purple"],
  [5, "shut off", "text"],
  [6, "crashed", "red"],
  [7, "suspended", "blue"],
];

const STATE_NAMES = [
  {
    type: "value",
    options: Object.fromEntries(STATES.map(([code, text, color], index) => [code, { text, color, index }])),
  },
];

/** A query for the whole VM; a live migration does not end its line. */
function of(measurement: Query["measurement"], value: string, legend: string): Query {
  return { measurement, value, by: [], legend };
}

function total(value: string, legend: string): Query {
  return of("vm_totals", value, legend);
}

function disk(value: string, legend: string): Query {
  return { measurement: "vm_devices", value, by: ["device", "volume"], devtype: "disk", legend };
}

function nic(value: string, legend: string): Query {
  return { measurement: "vm_devices", value, by: ["device", "network"], devtype: "nic", legend };
}

export const VM_PANELS: readonly Section<Query>[] = [
  {
    title: "VM",
    panels: [
      {
        title: "State",
        description: "State of the VM in libvirt.",
        unit: "none",
        kind: "stat",
        mappings: STATE_NAMES,
        asked: [{ ...total("{state}", "state"), last: true }],
      },
      {
        title: "vCPUs",
        description: "Number of vCPUs that the VM has now.",
        unit: "none",
        kind: "stat",
        asked: [{ ...of("vm_metrics", "{cpu_count}", "vCPUs"), last: true }],
      },
      {
        title: "CPU, of its vCPUs",
        description: "CPU time as a share of what the vCPUs could use; average over the time shown.",
        unit: "percent",
        kind: "stat",
        calculation: "mean",
        decimals: 1,
        steps: [
          [0, "green"],
          [80, "orange"],
          [95, "red"],
        ],
        asked: [total("{cputime/s} / 10000000.0 / {cpus}", "CPU")],
      },
      {
        title: "Memory given",
        description: "Memory that the guest has now: the balloon's current size.",
        unit: "bytes",
        kind: "stat",
        asked: [of("vm_metrics", "{memory_used_kb} * 1024.0", "given")],
      },
      {
        title: "Resident memory",
        description: "Memory of the node that the VM's QEMU process occupies.",
        unit: "bytes",
        kind: "stat",
        asked: [total("{memrss} * 1024.0", "resident")],
      },
      {
        title: "Disk traffic",
        description: "Read and written; average over the time shown.",
        unit: "binBps",
        kind: "stat",
        calculation: "mean",
        asked: [total("{disk_rd_bytes/s} + {disk_wr_bytes/s}", "disks")],
      },
      {
        title: "State, by node",
        description: "Node and state of the VM; after a live migration the line of the other node continues.",
        unit: "none",
        kind: "states",
        mappings: STATE_NAMES,
        asked: [{ measurement: "vm_totals", value: "{state}", by: ["node"], legend: "{node}", last: true }],
      },
    ],
  },
  {
    title: "CPU and memory",
    panels: [
      {
        title: "CPU, of its vCPUs",
        description:
          "CPU time as a share of what the vCPUs could use. The emulator's threads count too, so it may exceed 100 %.",
        unit: "percent",
        kind: "series",
        steps: [
          [0, "green"],
          [90, "orange"],
        ],
        asked: [total("{cputime/s} / 10000000.0 / {cpus}", "CPU")],
      },
      {
        title: "CPU time",
        description:
          "Number of CPUs that the VM keeps busy. The node's kernel splits QEMU's time into user and system.",
        unit: "suffix:cores",
        kind: "series",
        asked: [
          total("{cputime/s} / 1000000000.0", "all"),
          total("{timeusr/s} / 1000000000.0", "user"),
          total("{timesys/s} / 1000000000.0", "system"),
        ],
      },
      {
        title: "Growth of memory",
        description: "How fast the balloon's size changes. Below zero the guest gives memory back.",
        unit: "binBps",
        kind: "series",
        signed: true,
        asked: [of("vm_features", "{memory_rate_kb_per_sec} * 1024.0", "growth")],
      },
      {
        title: "Memory",
        description:
          "Maximum and given belong to the VM. Resident is the memory that it occupies on the node. Usable and disk cache come from the guest; they are 0 without a balloon driver.",
        unit: "bytes",
        kind: "series",
        width: 12,
        asked: [
          of("vm_metrics", "{memory_max_kb} * 1024.0", "maximum"),
          total("{memactual} * 1024.0", "given"),
          total("{memrss} * 1024.0", "resident"),
          total("{memusable} * 1024.0", "usable"),
          total("{memdisk_cache} * 1024.0", "disk cache"),
        ],
      },
      {
        title: "Swapping",
        description: "Bytes that the guest reports as moved from and to its swap space.",
        unit: "binBps",
        kind: "series",
        width: 6,
        asked: [total("{memswap_in/s} * 1024.0", "in"), total("{memswap_out/s} * 1024.0", "out")],
      },
      {
        title: "Page faults",
        description: "Page faults of the guest. A major fault waits for a disk.",
        unit: "cps",
        kind: "series",
        width: 6,
        asked: [total("{memmajor_fault/s}", "major"), total("{memminor_fault/s}", "minor")],
      },
    ],
  },
  {
    title: "Disks",
    panels: [
      {
        title: "Disk traffic",
        description: "Bytes read and written, by disk.",
        unit: "binBps",
        kind: "series",
        width: 12,
        asked: [disk("{rd_bytes/s}", "read {device} {volume}"), disk("{wr_bytes/s}", "written {device} {volume}")],
      },
      {
        title: "Disk requests",
        description: "Reads and writes, by disk.",
        unit: "iops",
        kind: "series",
        width: 12,
        asked: [disk("{rd_req/s}", "reads {device} {volume}"), disk("{wr_reqs/s}", "writes {device} {volume}")],
      },
    ],
  },
  {
    title: "Network",
    panels: [
      {
        title: "Network traffic",
        description: "Bytes that the guest receives and sends, by interface.",
        unit: "binBps",
        kind: "series",
        asked: [nic("{rxbytes/s}", "received {device} {network}"), nic("{txbytes/s}", "sent {device} {network}")],
      },
      {
        title: "Packets",
        description: "Packets that the guest receives and sends, by interface.",
        unit: "pps",
        kind: "series",
        asked: [nic("{rxpackets/s}", "received {device} {network}"), nic("{txpackets/s}", "sent {device} {network}")],
      },
      {
        title: "Dropped and faulty packets",
        description: "Packets that were dropped or had errors, by interface and direction.",
        unit: "pps",
        kind: "series",
        asked: [
          nic("{rxdrops/s} + {rxerrors/s}", "received {device} {network}"),
          nic("{txdrops/s} + {txerrors/s}", "sent {device} {network}"),
        ],
      },
    ],
  },
];
