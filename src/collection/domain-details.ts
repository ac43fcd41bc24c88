import { DOMAIN_STATE } from "../libvirt/protocol.ts";
import { domainKey } from "../discovery/domain-name.ts";
import { growth } from "../lib/growth.ts";
import type { DomainSample } from "./domain-sample.ts";
import { DISK_DETAILS } from "./libvirt/disk-details.ts";
import { GUEST_MEMORY } from "./libvirt/guest-memory.ts";
import { STATUS } from "./libvirt/status.ts";
import { sumOverVcpus, VCPUS } from "./libvirt/vcpus.ts";
import { reasonName } from "./state-reason.ts";
import { reading } from "./stats-needs.ts";
import { usedMemory } from "./used-memory.ts";

/** A value of the last cycle that had its family; undefined if it was not known then. */
interface Latest<Value> {
  readonly value: Value | undefined;
  /** Monotonic time of the sample. */
  readonly atMs: number;
}

/** What the families that are off by default tell about a domain. A family that is off has no entry. */
export interface DomainDetails {
  /** `Status`: why the domain does not run, in libvirt's word, such as `io-error`. */
  readonly reason?: Latest<string> | undefined;
  /** `Disks`: average time of a read or a write of the slowest disk, in microseconds. */
  readonly latencyUs?: Latest<number> | undefined;
  /** `Memory`: part of its memory that the guest uses. */
  readonly usedPercent?: Latest<number> | undefined;
  /** `Vcpus`: steal time since the sample before, of all time, averaged over the vCPUs. */
  readonly stealPercent?: (Latest<number> & VcpuDelay) | undefined;
}

interface VcpuDelay {
  readonly delayNs: bigint | undefined;
  readonly vcpus: number;
}

/** A family is collected in some cycles only: its value stays until it is this old. */
const MAX_AGE_MS = 300_000;
const NONE: ReadonlyMap<string, DomainDetails> = new Map();

/** Returns UUID and id of a domain -> its details after a cycle. `before` are those after the last one. */
export function latestDetails(
  samples: readonly DomainSample[],
  before: ReadonlyMap<string, DomainDetails> = NONE,
): ReadonlyMap<string, DomainDetails> {
  if (before.size === 0 && samples.every(({ readings = NONE }) => readings.size === 0)) return NONE;
  const details = new Map<string, DomainDetails>();
  for (const sample of samples) {
    const key = domainKey(sample.identity);
    const known = detailsOf(sample, before.get(key) ?? {});
    if (Object.values(known).some((value) => value !== undefined)) details.set(key, known);
  }
  return details;
}

function detailsOf(sample: DomainSample, before: DomainDetails): DomainDetails {
  const atMs = sample.memory.monotonicMs;
  const latest = <Kept extends Latest<unknown>>(reader: object, read: () => Kept, last: Kept | undefined) => {
    if (sample.readings?.has(reader) === true) return read();
    return last !== undefined && atMs - last.atMs <= MAX_AGE_MS ? last : undefined;
  };
  return {
    // A domain that runs again has no reason, even if the family is not due.
    reason:
      sample.state === DOMAIN_STATE.RUNNING
        ? undefined
        : latest(STATUS, () => ({ value: reasonOf(sample), atMs }), before.reason),
    latencyUs: latest(DISK_DETAILS, () => ({ value: latencyOf(sample), atMs }), before.latencyUs),
    usedPercent: latest(GUEST_MEMORY, () => ({ value: usedMemory(sample)?.percent, atMs }), before.usedPercent),
    stealPercent: latest(VCPUS, () => stealOf(sample, before.stealPercent), before.stealPercent),
  };
}

function reasonOf(sample: DomainSample): string | undefined {
  const { state, reason } = reading(sample, STATUS) ?? {};
  return state === undefined || reason === undefined ? undefined : reasonName(state, reason);
}

function latencyOf(sample: DomainSample): number | undefined {
  const disks = reading(sample, DISK_DETAILS) ?? [];
  const known = disks
    .flatMap(({ readLatencyUs, writeLatencyUs }) => [readLatencyUs, writeLatencyUs])
    .filter((latency) => latency !== undefined);
  return known.length === 0 ? undefined : Math.max(...known);
}

function stealOf(sample: DomainSample, before: DomainDetails["stealPercent"]): Latest<number> & VcpuDelay {
  const vcpus = reading(sample, VCPUS) ?? [];
  const atMs = sample.memory.monotonicMs;
  const delayNs = sumOverVcpus(vcpus, "delayNs");
  // The sum over other vCPUs than before has no growth.
  const grown = before?.vcpus === vcpus.length ? growth(before.delayNs, delayNs) : undefined;
  const ns = before === undefined ? 0 : (atMs - before.atMs) * 1e6 * vcpus.length;
  return { value: grown === undefined || ns <= 0 ? undefined : (grown / ns) * 100, atMs, delayNs, vcpus: vcpus.length };
}
