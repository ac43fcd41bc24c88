import { domainKey } from "../discovery/domain-name.ts";
import { growth } from "../lib/growth.ts";
import type { DomainSample } from "./domain-sample.ts";

/** Average load of a domain between two samples. A value is undefined if one of the samples lacks it. */
export interface DomainLoad {
  /** 100 is one full CPU of the host. */
  readonly cpuPercent: number | undefined;
  /** Sum over all devices, per second. */
  readonly diskReads: number | undefined;
  readonly diskReadBytes: number | undefined;
  readonly diskWrites: number | undefined;
  readonly diskWriteBytes: number | undefined;
  readonly netReceivedBytes: number | undefined;
  readonly netSentBytes: number | undefined;
}

const NANOSECONDS_PER_MS = 1e6;

/** Returns the load of each domain of `after`. Domains that are not in `before`, or have restarted since, have none. */
export function domainLoads(
  before: readonly DomainSample[],
  after: readonly DomainSample[],
): ReadonlyMap<DomainSample, DomainLoad> {
  const known = new Map(before.map((sample) => [domainKey(sample.identity), sample]));
  return new Map(
    after.flatMap((sample) => {
      const earlier = known.get(domainKey(sample.identity));
      const load = earlier && domainLoad(earlier, sample);
      return load === undefined ? [] : [[sample, load]];
    }),
  );
}

/** The last two cycles of an endpoint in which its devices were read. */
export interface DeviceCycles {
  readonly before: readonly DomainSample[];
  readonly samples: readonly DomainSample[];
}

/**
 * Returns the loads of the domains of the last cycle. If it was a cycle without devices, the values of devices are those between
 * the last two cycles with devices, unless the next one of these is overdue.
 */
export function lastLoads(
  before: readonly DomainSample[],
  after: readonly DomainSample[],
  devices: DeviceCycles,
): ReadonlyMap<DomainSample, DomainLoad> {
  const loads = domainLoads(before, after);
  if (before === devices.before && after === devices.samples) return loads;
  const known = new Map(
    [...domainLoads(devices.before, devices.samples)].map(([sample, load]) => [
      domainKey(sample.identity),
      { load, ms: sample.memory.monotonicMs },
    ]),
  );
  const earlierMs = Math.max(...devices.before.map(({ memory }) => memory.monotonicMs));
  return new Map(
    [...loads].map(([sample, load]) => {
      const last = known.get(domainKey(sample.identity));
      const isOverdue = last === undefined || sample.memory.monotonicMs - last.ms > 2 * (last.ms - earlierMs);
      return [sample, isOverdue ? load : { ...last.load, cpuPercent: load.cpuPercent }];
    }),
  );
}

function domainLoad(before: DomainSample, after: DomainSample): DomainLoad | undefined {
  const ms = after.memory.monotonicMs - before.memory.monotonicMs;
  if (ms <= 0) return undefined;
  const cpuNs = growth(before.cpu.time, after.cpu.time);
  const perSecond = <Device extends { readonly device: string }>(
    devices: (sample: DomainSample) => readonly Device[] | undefined,
    counter: (device: Device) => bigint | undefined,
  ): number | undefined => {
    const grown = sumOfGrowth(devices(before), devices(after), counter);
    return grown === undefined ? undefined : (grown / ms) * 1000;
  };
  const disks = (sample: DomainSample): DomainSample["disks"] => sample.disks;
  const nics = (sample: DomainSample): DomainSample["nics"] => sample.nics;
  return {
    cpuPercent: cpuNs === undefined ? undefined : (cpuNs / (ms * NANOSECONDS_PER_MS)) * 100,
    diskReads: perSecond(disks, ({ readRequests }) => readRequests),
    diskReadBytes: perSecond(disks, ({ readBytes }) => readBytes),
    diskWrites: perSecond(disks, ({ writeRequests }) => writeRequests),
    diskWriteBytes: perSecond(disks, ({ writeBytes }) => writeBytes),
    netReceivedBytes: perSecond(nics, ({ rxBytes }) => rxBytes),
    netSentBytes: perSecond(nics, ({ txBytes }) => txBytes),
  };
}

/** Returns how much a counter has grown, summed over the devices that are in both samples. */
function sumOfGrowth<Device extends { readonly device: string }>(
  before: readonly Device[] | undefined,
  after: readonly Device[] | undefined,
  counter: (device: Device) => bigint | undefined,
): number | undefined {
  if (before === undefined || after === undefined) return undefined;
  const known = new Map(before.map((device) => [device.device, device]));
  let sum = 0;
  for (const device of after) {
    const earlier = known.get(device.device);
    if (earlier === undefined) continue;
    const grown = growth(counter(earlier), counter(device));
    if (grown === undefined) return undefined;
    sum += grown;
  }
  return sum;
}
