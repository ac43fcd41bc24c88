import { DISK_DETAILS, type DiskDetails } from "../collection/libvirt/disk-details.ts";
import { DEVICES, reading } from "../collection/stats-needs.ts";
import { DISK_DETAIL_COUNTERS } from "../contract.ts";
import type { Measurement } from "./measurement.ts";

const FIELDS = Object.entries(DISK_DETAIL_COUNTERS) as [keyof typeof DISK_DETAIL_COUNTERS, { field: string }][];

/** Times, sizes and latencies of each disk. A value that is missing is left out. */
export const vmDisks: Measurement = {
  name: "vm_disks",
  family: "Disks",
  needs: [DEVICES, DISK_DETAILS],
  write(sample, lines) {
    for (const disk of reading(sample, DISK_DETAILS) ?? []) {
      lines.begin({ device: disk.device, volume: disk.volume, pvc: disk.claim });
      for (const [name, { field }] of FIELDS) lines.knownInteger(field, disk[name]);
      lines.float("rd_latency_us", disk.readLatencyUs);
      lines.float("wr_latency_us", disk.writeLatencyUs);
      lines.float("fl_latency_us", disk.flushLatencyUs);
      lines.float("fill_percent", fillPercent(disk));
      lines.end();
    }
  },
};

/** Returns the part of the disk that is allocated on its storage. An image with data of its format can have more than 100. */
function fillPercent({ allocation, capacity }: DiskDetails): number | undefined {
  if (allocation === undefined || capacity === undefined || capacity === 0n) return undefined;
  return (Number(allocation) / Number(capacity)) * 100;
}
