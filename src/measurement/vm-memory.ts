import { GUEST_MEMORY } from "../collection/libvirt/guest-memory.ts";
import { BALLOON, reading } from "../collection/stats-needs.ts";
import { usedMemory } from "../collection/used-memory.ts";
import type { Measurement } from "./measurement.ts";

/** The guest's memory: used, free, ballooned away. What the guest does not report is left out, never 0. */
export const vmMemory: Measurement = {
  name: "vm_memory",
  family: "Memory",
  needs: [BALLOON, GUEST_MEMORY],
  write(sample, lines) {
    const { maximum, current, rss } = sample.memory;
    const reported = reading(sample, GUEST_MEMORY);
    const guest = reported?.isReported === true ? reported : undefined;
    const used = usedMemory(sample);
    lines.begin();
    lines.knownInteger("unused_kb", guest?.unused);
    lines.knownInteger("last_update_s", guest?.lastUpdateS);
    lines.knownInteger("guest_stats_age_s", ageOf(guest?.lastUpdateS, sample.timestampMs));
    lines.knownInteger("hugetlb_pgalloc", guest?.hugePagesAllocated);
    lines.knownInteger("hugetlb_pgfail", guest?.hugePagesFailed);
    lines.knownInteger("ballooned_kb", positive(difference(maximum, current)));
    lines.knownInteger("used_kb", used?.kib);
    // Negative while the guest has not touched all of its memory.
    lines.knownInteger("overhead_kb", difference(rss, current));
    lines.float("used_percent", used?.percent);
    lines.end();
  },
};

function difference(from: bigint | undefined, subtracted: bigint | undefined): bigint | undefined {
  return from === undefined || subtracted === undefined ? undefined : from - subtracted;
}

/** Returns undefined for a negative value: the two numbers are not of the same moment. */
function positive(value: bigint | undefined): bigint | undefined {
  return value === undefined || value < 0n ? undefined : value;
}

/**
 * Returns whole seconds. QEMU's clock is the node's; within the second of an update it can be ahead of the sample. Undefined
 * for a later update: the node's clock was set back.
 */
function ageOf(lastUpdateS: bigint | undefined, nowMs: number): number | undefined {
  const ageS = lastUpdateS === undefined ? Number.NEGATIVE_INFINITY : Math.floor(nowMs / 1000) - Number(lastUpdateS);
  return ageS < -1 ? undefined : Math.max(0, ageS);
}
