import type { Counters, DISK_COUNTERS, NIC_COUNTERS } from "../contract.ts";

/** The values of one running domain in one cycle. Values that libvirt did not report are undefined, never zero. */
export interface DomainSample {
  /** Wall clock of the request for the values, in milliseconds since the epoch. */
  readonly timestampMs: number;
  readonly identity: DomainIdentity;
  /** virDomainState: 1 running, 3 paused, ... */
  readonly state: number | undefined;
  readonly cpu: CpuSample;
  readonly memory: MemorySample;
  /** In the order of the domain XML; undefined when they could not be read in this cycle. */
  readonly nics: readonly NicSample[] | undefined;
  /** As `nics`; also undefined if QEMU's monitor is busy or stuck. */
  readonly disks: readonly DiskSample[] | undefined;
  /** The last known memory of the same domain (endpoint, UUID and id) before this cycle. */
  readonly previous: MemoryPoint | undefined;
  /** StatsReader -> its value, for optional measurements; see `reading()`. Absent when no such measurement is on. */
  readonly readings?: ReadonlyMap<object, unknown>;
}

export interface DomainIdentity {
  /** libvirt's number of this run. */
  readonly id: number;
  /** Of the VMI; without a VMI, of the domain. */
  readonly uuid: string;
  /** Name of the VMI; without a VMI, of the domain. */
  readonly name: string;
  readonly namespace?: string;
  /** Labels of the VMI. They decide which targets get the domain's lines. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Tag key and value, chosen by the configuration from the VMI's labels and annotations. */
  readonly tags?: readonly (readonly [key: string, value: string])[];
}

/** Cumulative CPU time in nanoseconds. */
export interface CpuSample {
  readonly count: number | undefined;
  readonly time: bigint | undefined;
  readonly user: bigint | undefined;
  readonly system: bigint | undefined;
}

/** KiB, except the counters of swap, faults and `diskCaches`, which are as libvirt reports them. */
export interface MemorySample {
  readonly maximum: bigint | undefined;
  readonly current: bigint | undefined;
  readonly rss: bigint | undefined;
  readonly available: bigint | undefined;
  readonly usable: bigint | undefined;
  readonly swapIn: bigint | undefined;
  readonly swapOut: bigint | undefined;
  readonly majorFault: bigint | undefined;
  readonly minorFault: bigint | undefined;
  readonly diskCaches: bigint | undefined;
  /** When `current` was read, in milliseconds on the monotonic clock; for rates. */
  readonly monotonicMs: number;
}

export interface MemoryPoint {
  readonly current: bigint;
  readonly monotonicMs: number;
}

/** Cumulative counters of a network interface. */
export interface NicSample extends Counters<typeof NIC_COUNTERS> {
  readonly device: string;
  /** KubeVirt network name. */
  readonly network?: string;
}

/** Cumulative counters of a disk. */
export interface DiskSample extends Counters<typeof DISK_COUNTERS> {
  readonly device: string;
  /** KubeVirt volume name. */
  readonly volume?: string;
}

/** Names of virDomainState, as the predecessor of this agent wrote them. */
const STATES = ["no state", "running", "blocked", "paused", "shutdown", "shutoff", "crashed", "suspended"];

/** Returns the name of a virDomainState. */
export function stateName(state: number | undefined): string {
  return STATES[state ?? 0] ?? "no state";
}
