import type { DiskSample, NicSample } from "../collection/domain-sample.ts";

/** A field of a device: its key in `vm_devices`, its key in `vm_totals`, and where its value is. */
interface DeviceField<Device> {
  readonly key: string;
  readonly total: string;
  readonly value: (device: Device) => bigint | undefined;
}

export const NIC_FIELDS: readonly DeviceField<NicSample>[] = [
  { key: "rxbytes", total: "net_rxbytes", value: (nic) => nic.rxBytes },
  { key: "rxpackets", total: "net_rxpackets", value: (nic) => nic.rxPackets },
  { key: "rxerrors", total: "net_rxerrors", value: (nic) => nic.rxErrors },
  { key: "rxdrops", total: "net_rxdrops", value: (nic) => nic.rxDrops },
  { key: "txbytes", total: "net_txbytes", value: (nic) => nic.txBytes },
  { key: "txpackets", total: "net_txpackets", value: (nic) => nic.txPackets },
  { key: "txerrors", total: "net_txerrors", value: (nic) => nic.txErrors },
  { key: "txdrops", total: "net_txdrops", value: (nic) => nic.txDrops },
];

export const DISK_FIELDS: readonly DeviceField<DiskSample>[] = [
  { key: "rd_req", total: "disk_rd_req", value: (disk) => disk.readRequests },
  { key: "rd_bytes", total: "disk_rd_bytes", value: (disk) => disk.readBytes },
  { key: "wr_reqs", total: "disk_wr_reqs", value: (disk) => disk.writeRequests },
  { key: "wr_bytes", total: "disk_wr_bytes", value: (disk) => disk.writeBytes },
  { key: "errors", total: "disk_errors", value: (disk) => disk.errors },
];

/** The sum over what `vm_devices` reports of these devices; undefined when there are some and none has the value. */
export function total<Device>(devices: readonly Device[], { value }: DeviceField<Device>): bigint | undefined {
  let sum: bigint | undefined = devices.length === 0 ? 0n : undefined;
  for (const device of devices) {
    const one = value(device);
    if (one !== undefined) sum = (sum ?? 0n) + one;
  }
  return sum;
}
