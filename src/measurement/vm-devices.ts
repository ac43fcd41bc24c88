import { DEVICES } from "../collection/stats-needs.ts";
import { DISK_FIELDS, NIC_FIELDS } from "./device-fields.ts";
import type { Measurement } from "./measurement.ts";

export const vmDevices: Measurement = {
  name: "vm_devices",
  family: "Devices",
  needs: [DEVICES],
  write({ nics = [], disks = [] }, lines) {
    for (const nic of nics) {
      lines.begin({ devtype: "nic", device: nic.device, network: nic.network });
      for (const field of NIC_FIELDS) lines.integer(field.key, nic[field.counter]);
      lines.end();
    }
    for (const disk of disks) {
      lines.begin({ devtype: "disk", device: disk.device, volume: disk.volume });
      for (const field of DISK_FIELDS) lines.integer(field.key, disk[field.counter]);
      lines.end();
    }
  },
};
