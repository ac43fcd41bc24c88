import { DISK_COUNTERS, DISK_DETAIL_COUNTERS, NIC_COUNTERS, type Counter, type Counters } from "../../contract.ts";
import type { ReportedDevices } from "../../discovery/device-cache.ts";
import type { LayoutDevice } from "../../discovery/domain-layout.ts";
import type { TypedParameters } from "../../libvirt/types.ts";
import type { DiskSample, NicSample } from "../domain-sample.ts";
import { count, counter, text } from "./typed-values.ts";

/** Device name -> index in the statistics. Indexes have gaps where an interface has no device on the host. */
export type DeviceIndex = ReadonlyMap<string, number>;

/** The fields that tell two devices with the same name apart. */
interface Sameness {
  /** Fields that do not change. */
  readonly identity: readonly string[];
  /** Fields that only grow. */
  readonly growing: readonly string[];
}

interface FieldNames extends Sameness {
  readonly name: string;
  readonly counters: readonly string[];
}

/** The statistics of one kind of device: `net.0.rx.bytes` is the counter `rx.bytes` of the kind `net`. */
class DeviceStats<Table extends Readonly<Record<string, Counter>>> {
  readonly #kind: string;
  readonly #counters: readonly (readonly [name: keyof Table, counter: Counter])[];
  readonly #sameness: Sameness;
  /** Field names by device index, created once per index. */
  readonly #keys: FieldNames[] = [];

  constructor(kind: string, table: Table, sameness: Sameness) {
    this.#kind = kind;
    this.#sameness = sameness;
    this.#counters = Object.entries(table);
  }

  index(params: TypedParameters): DeviceIndex {
    const found = new Map<string, number>();
    const devices = count(params, `${this.#kind}.count`);
    for (let index = 0; index < devices; index++) {
      const name = text(params, this.#keysOf(index).name);
      if (name !== undefined) found.set(name, index);
    }
    return found;
  }

  /** Adds the counters of the device at this index to `sample`. The index is undefined if libvirt reports no such device. */
  addTo<Sample extends object>(
    sample: Sample,
    params: TypedParameters,
    index: number | undefined,
  ): Sample & Counters<Table> {
    const values = sample as Record<keyof Table, bigint | undefined>;
    const keys = index === undefined ? undefined : this.#keysOf(index).counters;
    let at = 0;
    for (const [name, { absent }] of this.#counters) {
      const key = keys?.[at++];
      values[name] = (key === undefined ? undefined : counter(params, key)) ?? absent;
    }
    return values as Sample & Counters<Table>;
  }

  /** Returns what shows in a later cycle whether the devices are still the same. */
  reported(params: TypedParameters, index: DeviceIndex): ReportedDevices {
    // They are kept until the next cycle, so they get arrays of their size. A loop would make an array for each device.
    const identity = new Array<unknown>(index.size * (1 + this.#sameness.identity.length));
    const counters = new Array<bigint | undefined>(index.size * this.#sameness.growing.length);
    let identified = 0;
    let counted = 0;
    index.forEach((at, name) => {
      const keys = this.#keysOf(at);
      identity[identified++] = name;
      for (const key of keys.identity) identity[identified++] = params.get(key);
      for (const key of keys.growing) counters[counted++] = counter(params, key);
    });
    return { identity, counters };
  }

  /** Returns the fields of one device that do not change. */
  identityOf(params: TypedParameters, index: number): readonly unknown[] {
    return this.#keysOf(index).identity.map((key) => params.get(key));
  }

  /** Returns whether any of these devices has a counter. */
  hasCounters(params: TypedParameters, index: DeviceIndex): boolean {
    return [...index.values()].some((at) => params.has(this.#keysOf(at).counters[0] ?? ""));
  }

  #keysOf(index: number): FieldNames {
    const of = (stat: string): string => `${this.#kind}.${index}.${stat}`;
    return (this.#keys[index] ??= {
      name: of("name"),
      identity: this.#sameness.identity.map(of),
      growing: this.#sameness.growing.map(of),
      counters: this.#counters.map(([, { stat }]) => of(stat)),
    });
  }
}

const NICS = new DeviceStats("net", NIC_COUNTERS, { identity: [], growing: ["rx.bytes", "tx.bytes"] });
const DISKS = new DeviceStats("block", DISK_COUNTERS, {
  // Libvirt gives each image of a running domain a number, the `backingIndex`, and does not use it again.
  identity: ["path", "backingIndex"],
  growing: ["rd.reqs", "wr.reqs"],
});
const DISK_DETAILS = new DeviceStats("block", DISK_DETAIL_COUNTERS, { identity: [], growing: [] });

export function nicIndex(params: TypedParameters): DeviceIndex {
  return NICS.index(params);
}

export function diskIndex(params: TypedParameters): DeviceIndex {
  return DISKS.index(params);
}

export function reportedNics(params: TypedParameters, index: DeviceIndex): ReportedDevices {
  return NICS.reported(params, index);
}

export function reportedDisks(params: TypedParameters, index: DeviceIndex): ReportedDevices {
  return DISKS.reported(params, index);
}

export function nicSample(
  { device, alias }: LayoutDevice,
  params: TypedParameters,
  index: number | undefined,
): NicSample {
  return NICS.addTo(alias === undefined ? { device } : { device, network: alias }, params, index);
}

export function diskSample(
  { device, alias }: LayoutDevice,
  params: TypedParameters,
  index: number | undefined,
): DiskSample {
  return DISKS.addTo(alias === undefined ? { device } : { device, volume: alias }, params, index);
}

/** Returns the further values of the disk at this index, which is undefined if libvirt reports no such disk. */
export function diskDetails(params: TypedParameters, index: number | undefined): Counters<typeof DISK_DETAIL_COUNTERS> {
  return DISK_DETAILS.addTo({}, params, index);
}

/** Returns what tells the image of the disk at this index from others; empty for an undefined index. */
export function diskImage(params: TypedParameters, index: number | undefined): readonly unknown[] {
  return index === undefined ? [] : DISKS.identityOf(params, index);
}

/** Returns whether QEMU's monitor answered for the disks. Without it libvirt sends only their names. */
export function hasDiskCounters(params: TypedParameters, index: DeviceIndex): boolean {
  return DISKS.hasCounters(params, index);
}
