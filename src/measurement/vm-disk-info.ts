import { VM_INFO } from "../collection/libvirt/vm-info.ts";
import { reading } from "../collection/stats-needs.ts";
import type { Measurement } from "./measurement.ts";
import { INFO } from "./vm-info.ts";

/** What each drive is, also CD-ROMs and floppies. A fact that is not known is left out. */
export const vmDiskInfo: Measurement = {
  ...INFO,
  name: "vm_disk_info",
  write(sample, lines) {
    for (const disk of reading(sample, VM_INFO)?.info.disks ?? []) {
      lines.begin({ device: disk.device, volume: disk.alias });
      lines.text("bus", disk.bus);
      lines.text("cache", disk.cache);
      lines.text("discard", disk.discard);
      lines.text("format", disk.format);
      lines.text("kind", disk.kind);
      lines.text("serial", disk.serial);
      lines.text("pvc", disk.claim);
      lines.knownInteger("iops_limit", disk.iopsLimit);
      lines.knownInteger("bytes_limit", disk.bytesLimit);
      lines.end();
    }
  },
};
