import {
  BY_DISK,
  BY_VCPU,
  FILL_STEPS,
  OF_THE_VM,
  disks,
  latencyPanels,
  memory,
  stealPanel,
  usedMemory,
} from "./optional-panels.ts";
import type { Section } from "./panel.ts";
import type { Query } from "./query.ts";

export const VM_OPTIONAL: readonly Section<Query>[] = [
  {
    title: "Why paused, and since when (family Status)",
    optional: true,
    panels: [
      {
        title: "Reason of the state",
        description: "libvirt's reason of the VM's last state, such as io-error, migration or user.",
        unit: "none",
        kind: "word",
        width: 8,
        asked: [{ measurement: "vm_status", value: "{reason}", by: [], legend: "reason" }],
      },
      {
        title: "Uptime",
        description: "Time since the VM began to run on the node.",
        unit: "s",
        kind: "stat",
        width: 8,
        asked: [{ measurement: "vm_status", value: "{uptime_s}", ...OF_THE_VM, last: true }],
      },
      {
        title: "QEMU is stuck",
        description: "1 while the VM's QEMU does not answer libvirt.",
        unit: "none",
        kind: "stat",
        width: 8,
        steps: [
          [0, "green"],
          [1, "red"],
        ],
        asked: [{ measurement: "vm_status", value: "{stuck}", ...OF_THE_VM, last: true }],
      },
    ],
  },
  {
    title: "Disk latency and fill level (family Disks)",
    optional: true,
    panels: [
      ...latencyPanels(BY_DISK, 8),
      {
        title: "Flush latency",
        description: "How long a flush of the disk's cache takes. Average over the samples that had flushes.",
        unit: "µs",
        kind: "series",
        asked: [disks("{fl_latency_us}", BY_DISK)],
      },
      {
        title: "Requests in progress",
        description:
          "Reads and writes that wait for the storage at one time, on average. A number that grows is a queue.",
        unit: "none",
        kind: "series",
        decimals: 2,
        asked: [disks("({rd_ns/s} + {wr_ns/s}) / 1000000000.0", BY_DISK)],
      },
      {
        title: "Fill level",
        description: "Bytes that are allocated on the storage, of the size that the guest sees.",
        unit: "percent",
        kind: "series",
        steps: FILL_STEPS,
        asked: [disks("{fill_percent}", BY_DISK)],
      },
      {
        title: "Size",
        description: "The size that the guest sees, and what is allocated of it on the storage.",
        unit: "bytes",
        kind: "series",
        asked: [disks("{capacity_bytes}", BY_DISK, "size "), disks("{allocation_bytes}", BY_DISK, "allocated ")],
      },
    ],
  },
  {
    title: "Memory inside the guest (family Memory)",
    optional: true,
    panels: [
      usedMemory("Memory in use", { by: [], legend: "used" }, 8),
      {
        title: "Memory in use, ballooned away, overhead",
        description:
          "What the guest uses, what the balloon has taken from it, and what QEMU occupies beyond the guest's memory.",
        unit: "bytes",
        kind: "series",
        signed: true,
        asked: [
          memory("{used_kb} * 1024.0", { by: [], legend: "used" }),
          memory("{ballooned_kb} * 1024.0", { by: [], legend: "ballooned away" }),
          memory("{overhead_kb} * 1024.0", { by: [], legend: "overhead" }),
        ],
      },
      {
        title: "Age of the guest's numbers",
        description: "Time since the balloon driver last reported. It grows when the guest hangs.",
        unit: "s",
        kind: "series",
        asked: [memory("{guest_stats_age_s}", { by: [], legend: "age" })],
      },
    ],
  },
  {
    title: "vCPUs and steal time (family Vcpus)",
    optional: true,
    panels: [
      stealPanel("Steal time, by vCPU", BY_VCPU, 8),
      {
        title: "Wait for a disk or memory, by vCPU",
        description: "Time that vCPUs waited for a disk or for memory of the node, of all time.",
        unit: "percent",
        kind: "series",
        sparse: true,
        asked: [{ measurement: "vm_vcpus", value: "{wait_ns/s} / 10000000.0", ...BY_VCPU }],
      },
      {
        title: "CPU, by vCPU",
        description: "Time that vCPUs ran, of all time. One at 100 % in a quiet VM is a program with one thread.",
        unit: "percent",
        kind: "series",
        sparse: true,
        asked: [{ measurement: "vm_vcpus", value: "{time_ns/s} / 10000000.0", ...BY_VCPU }],
      },
    ],
  },
];
