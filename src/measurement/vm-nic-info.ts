import { VM_INFO } from "../collection/libvirt/vm-info.ts";
import { reading } from "../collection/stats-needs.ts";
import type { Measurement } from "./measurement.ts";
import { INFO } from "./vm-info.ts";

/** What each NIC is. A fact that is not known is left out. */
export const vmNicInfo: Measurement = {
  ...INFO,
  name: "vm_nic_info",
  write(sample, lines) {
    for (const nic of reading(sample, VM_INFO)?.info.nics ?? []) {
      lines.begin({ device: nic.device, network: nic.alias });
      lines.text("mac", nic.mac);
      lines.text("model", nic.model);
      lines.text("kind", nic.kind);
      lines.text("source", nic.source);
      lines.text("link", nic.link);
      lines.text("address", nic.address);
      lines.knownInteger("mtu", nic.mtu);
      lines.end();
    }
  },
};
