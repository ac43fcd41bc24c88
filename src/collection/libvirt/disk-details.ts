import type { Counters, DISK_DETAIL_COUNTERS } from "../../contract.ts";
import { growth } from "../../lib/growth.ts";
import { ownValue } from "../../lib/own-value.ts";
import type { DiskSample } from "../domain-sample.ts";
import { DEVICES, type StatsReader } from "../stats-needs.ts";
import { diskDetails, diskImage } from "./device-stats.ts";

/** A disk with its times and sizes. */
export interface DiskDetails extends DiskSample, Counters<typeof DISK_DETAIL_COUNTERS> {
  /** Path and number of the image, as libvirt reports them. Another volume in the same place has others. */
  readonly image: readonly unknown[];
  /** Name of the PersistentVolumeClaim. */
  readonly claim: string | undefined;
  /** Average time of a request since the previous sample, in microseconds; undefined without requests or after a reset. */
  readonly readLatencyUs: number | undefined;
  readonly writeLatencyUs: number | undefined;
  readonly flushLatencyUs: number | undefined;
}

/** The disks of `sample.disks` with further values of the same groups of the bulk call. */
export const DISK_DETAILS: StatsReader<readonly DiskDetails[]> = {
  groups: DEVICES.groups,
  keepsPrevious: true,
  read({ sample: { disks }, report, vm: { claims = {} } }, previous = []) {
    if (report === undefined || disks === undefined) return undefined;
    const known = new Map(previous.map((disk) => [disk.device, disk]));
    return disks.map((disk) => {
      const index = report.disks.get(disk.device);
      const now = { ...disk, ...diskDetails(report.params, index), image: diskImage(report.params, index) };
      const last = known.get(disk.device);
      const before = last !== undefined && isSameVolume(last, now) ? last : undefined;
      return {
        ...now,
        claim: disk.volume === undefined ? undefined : ownValue(claims, disk.volume),
        readLatencyUs: latencyUs(before?.readNs, now.readNs, before?.readRequests, now.readRequests),
        writeLatencyUs: latencyUs(before?.writeNs, now.writeNs, before?.writeRequests, now.writeRequests),
        flushLatencyUs: latencyUs(before?.flushNs, now.flushNs, before?.flushRequests, now.flushRequests),
      };
    });
  },
};

type Volume = Pick<DiskDetails, "volume" | "image">;

function isSameVolume(before: Volume, now: Volume): boolean {
  return before.volume === now.volume && now.image.every((value, index) => value === before.image[index]);
}

function latencyUs(
  nsBefore: bigint | undefined,
  ns: bigint | undefined,
  requestsBefore: bigint | undefined,
  requests: bigint | undefined,
): number | undefined {
  const [time, count] = [growth(nsBefore, ns), growth(requestsBefore, requests)];
  return time === undefined || count === undefined || count === 0 ? undefined : time / count / 1000;
}
