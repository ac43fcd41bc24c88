import type { LayoutDevice } from "../discovery/domain-layout.ts";
import type { TypedParameters } from "../libvirt/types.ts";
import type { DiskSample, NicSample } from "./domain-sample.ts";
import { count, counter, text } from "./typed-reading.ts";

/** Names a device's fields from its index once and for all; cycles only look them up. */
function keyTable<Keys>(name: (index: number) => Keys): (index: number) => Keys {
  const table: Keys[] = [];
  return (index) => (table[index] ??= name(index));
}

const nicKeys = keyTable((index) => {
  const of = (field: string): string => `net.${index}.${field}`;
  return {
    name: of("name"),
    rxBytes: of("rx.bytes"),
    rxPackets: of("rx.pkts"),
    rxErrors: of("rx.errs"),
    rxDrops: of("rx.drop"),
    txBytes: of("tx.bytes"),
    txPackets: of("tx.pkts"),
    txErrors: of("tx.errs"),
    txDrops: of("tx.drop"),
  };
});

const diskKeys = keyTable((index) => {
  const of = (field: string): string => `block.${index}.${field}`;
  return {
    name: of("name"),
    readRequests: of("rd.reqs"),
    readBytes: of("rd.bytes"),
    writeRequests: of("wr.reqs"),
    writeBytes: of("wr.bytes"),
    errors: of("errors"),
  };
});

/** Device name -> index in the statistics. Indexes have gaps where an interface has no device on the host. */
export type DeviceIndex = ReadonlyMap<string, number>;

export function nicIndex(params: TypedParameters): DeviceIndex {
  return deviceIndex(params, "net.count", (index) => nicKeys(index).name);
}

export function diskIndex(params: TypedParameters): DeviceIndex {
  return deviceIndex(params, "block.count", (index) => diskKeys(index).name);
}

function deviceIndex(params: TypedParameters, countField: string, nameField: (index: number) => string): DeviceIndex {
  const found = new Map<string, number>();
  const devices = count(params, countField);
  for (let index = 0; index < devices; index++) {
    const name = text(params, nameField(index));
    if (name !== undefined) found.set(name, index);
  }
  return found;
}

export function nicSample(
  { device, alias }: LayoutDevice,
  params: TypedParameters,
  index: number | undefined,
): NicSample {
  const keys = index === undefined ? undefined : nicKeys(index);
  const read = (key: string | undefined): bigint | undefined => (key === undefined ? undefined : counter(params, key));
  return {
    device,
    ...(alias !== undefined && { network: alias }),
    rxBytes: read(keys?.rxBytes),
    rxPackets: read(keys?.rxPackets),
    rxErrors: read(keys?.rxErrors),
    rxDrops: read(keys?.rxDrops),
    txBytes: read(keys?.txBytes),
    txPackets: read(keys?.txPackets),
    txErrors: read(keys?.txErrors),
    txDrops: read(keys?.txDrops),
  };
}

export function diskSample(
  { device, alias }: LayoutDevice,
  params: TypedParameters,
  index: number | undefined,
): DiskSample {
  const keys = index === undefined ? undefined : diskKeys(index);
  const read = (key: string | undefined): bigint | undefined => (key === undefined ? undefined : counter(params, key));
  return {
    device,
    ...(alias !== undefined && { volume: alias }),
    readRequests: read(keys?.readRequests),
    readBytes: read(keys?.readBytes),
    writeRequests: read(keys?.writeRequests),
    writeBytes: read(keys?.writeBytes),
    errors: read(keys?.errors) ?? 0n,
  };
}

/** Whether QEMU's monitor answered for the block devices: without it libvirt sends their names only. */
export function hasDiskCounters(params: TypedParameters, index: DeviceIndex): boolean {
  return [...index.values()].some((at) => params.has(diskKeys(at).readRequests));
}
