import { growth } from "../lib/growth.ts";
import type { DeviceCycles } from "./domain-load.ts";
import type { DomainIdentity, DiskSample, DomainSample, NicSample } from "./domain-sample.ts";
import { DISK_DETAILS, type DiskDetails } from "./libvirt/disk-details.ts";
import { reading } from "./stats-needs.ts";

/** A device and how fast its counters grow, per second. A rate is undefined if a sample lacks the counter, or it was reset. */
interface DeviceLoad<Device extends { readonly device: string }> {
  readonly device: Device;
  readonly perSecond: { readonly [Name in keyof Device]?: number | undefined };
}

export interface DeviceLoads {
  readonly nics: readonly DeviceLoad<NicSample>[];
  /** With times and sizes if the family `Disks` is on. */
  readonly disks: readonly DeviceLoad<DiskSample & Partial<DiskDetails>>[];
}

const NIC_RATES = ["rxBytes", "txBytes", "rxPackets", "txPackets"] as const;
const DISK_RATES = ["readBytes", "writeBytes", "readRequests", "writeRequests"] as const;

/** Returns the devices of a domain in the last cycle with devices, and their average loads since the one before. */
export function deviceLoads({ before, samples }: DeviceCycles, identity: DomainIdentity): DeviceLoads {
  const isIt = ({ identity: { uuid, id } }: DomainSample): boolean => uuid === identity.uuid && id === identity.id;
  const after = samples.find(isIt);
  if (after === undefined) return { nics: [], disks: [] };
  const earlier = before.find(isIt);
  const ms = earlier === undefined ? 0 : after.memory.monotonicMs - earlier.memory.monotonicMs;
  return {
    nics: loads(earlier?.nics, after.nics, NIC_RATES, ms),
    disks: loads<DiskSample & Partial<DiskDetails>, (typeof DISK_RATES)[number]>(
      earlier?.disks,
      reading(after, DISK_DETAILS) ?? after.disks,
      DISK_RATES,
      ms,
    ),
  };
}

function loads<
  Device extends { readonly device: string } & Record<Name, bigint | undefined>,
  Name extends keyof Device,
>(
  before: readonly Device[] | undefined,
  after: readonly Device[] = [],
  names: readonly Name[],
  ms: number,
): readonly DeviceLoad<Device>[] {
  const known = new Map(before?.map((device) => [device.device, device]));
  return after.map((device) => {
    const earlier = known.get(device.device);
    const perSecond: { [Key in keyof Device]?: number | undefined } = {};
    for (const name of names) {
      const grown = growth(earlier?.[name], device[name]);
      perSecond[name] = grown === undefined || ms <= 0 ? undefined : (grown / ms) * 1000;
    }
    return { device, perSecond };
  });
}
