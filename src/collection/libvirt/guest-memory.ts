import type { StatsReader } from "../stats-needs.ts";
import { BALLOON } from "../stats-needs.ts";
import { counter } from "./typed-values.ts";

/** What the guest's balloon driver reports besides `sample.memory`. */
export interface GuestMemory {
  /** False if the driver has never sent a value. Libvirt then reports an update at 0. */
  readonly isReported: boolean;
  /** In KiB. */
  readonly unused: bigint | undefined;
  /** When the guest sent its values, in seconds since the epoch. */
  readonly lastUpdateS: bigint | undefined;
  readonly hugePagesAllocated: bigint | undefined;
  readonly hugePagesFailed: bigint | undefined;
}

export const GUEST_MEMORY: StatsReader<GuestMemory> = {
  ...BALLOON,
  read({ kept }) {
    if (kept === undefined) return undefined;
    const value = (field: string): bigint | undefined => counter(kept, `balloon.${field}`);
    const lastUpdateS = value("last-update");
    return {
      isReported: lastUpdateS !== 0n,
      unused: value("unused"),
      lastUpdateS,
      hugePagesAllocated: value("hugetlb_pgalloc"),
      hugePagesFailed: value("hugetlb_pgfail"),
    };
  },
};
