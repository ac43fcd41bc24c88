import { BALLOON, CPU_TIMES, DEVICES } from "../collection/stats-needs.ts";
import { DISK_FIELDS, NIC_FIELDS, sumOf } from "./device-fields.ts";
import type { Measurement } from "./measurement.ts";

export const vmTotals: Measurement = {
  name: "vm_totals",
  family: "Totals",
  needs: [DEVICES, BALLOON, CPU_TIMES],
  write({ state, cpu, memory, nics, disks }, lines) {
    // If one kind of device is unknown, its sums would drop to zero and rise again. No line is better.
    if (nics === undefined || disks === undefined) return;
    lines.begin();
    for (const field of NIC_FIELDS) lines.integer(field.total, sumOf(nics, field));
    for (const field of DISK_FIELDS) lines.integer(field.total, sumOf(disks, field));
    lines.integer("memactual", memory.current);
    lines.integer("memrss", memory.rss);
    lines.integer("memavailable", memory.available);
    lines.integer("memusable", memory.usable);
    lines.integer("memswap_in", memory.swapIn);
    lines.integer("memswap_out", memory.swapOut);
    lines.integer("memmajor_fault", memory.majorFault);
    lines.integer("memminor_fault", memory.minorFault);
    lines.integer("memdisk_cache", memory.diskCaches);
    lines.integer("timeusr", cpu.user);
    lines.integer("timesys", cpu.system);
    lines.integer("cpus", cpu.count);
    lines.integer("cputime", cpu.time);
    lines.integer("state", state);
    lines.end();
  },
};
