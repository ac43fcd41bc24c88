import type { DomainLayout } from "../discovery/domain-layout.ts";
import type { LibvirtClient } from "../libvirt/client.ts";
import { STATS_GROUP } from "../libvirt/protocol.ts";
import type { DomainRef, TypedParameters } from "../libvirt/types.ts";
import type { DomainSample } from "./domain-sample.ts";
import type { BasicInfo } from "./libvirt/basic-info.ts";
import type { VmName } from "./libvirt/domain-history.ts";
import type { DomainReport } from "./libvirt/sample-mapping.ts";

/** A part of the statistics of a domain. A measurement names the parts that it needs; no others are collected. */
export interface StatsNeed {
  /** Groups of libvirt's bulk call, a mask of STATS_GROUP. */
  readonly groups: number;
  /** The groups are not needed if the daemon has read the CPU times from cgroups. */
  readonly unlessCpuTimes?: true;
  /** With the freshness GuestPeriod the values can be those of an earlier cycle, see `KeptValues`. */
  readonly mayBeKept?: true;
}

/** Counters of network interfaces and disks: `sample.nics` and `sample.disks`. */
export const DEVICES: StatsNeed = { groups: STATS_GROUP.INTERFACE | STATS_GROUP.BLOCK };
/** `sample.memory` beyond its maximum and its current size. */
export const BALLOON: StatsNeed = { groups: STATS_GROUP.BALLOON, mayBeKept: true };
/** User and system time: `sample.cpu`. */
export const CPU_TIMES: StatsNeed = {
  groups: STATS_GROUP.CPU_TOTAL,
  unlessCpuTimes: true,
  mayBeKept: true,
};

/** The version of each daemon's QEMU: `qemuVersions` of a source. */
export const VERSIONS: StatsNeed = { groups: 0 };

/** The events of the domains: `onReport` of a source gets them. */
export const EVENTS: StatsNeed = { groups: 0 };
/** The progress of jobs: `onReport` of a source gets it in the cycles that need it, and the end of each job at once. */
export const JOBS: StatsNeed = { groups: 0 };

/** A need with a value of its own in the sample; `reading()` returns it. `Answer` is the result of `ask`. */
export interface StatsReader<Value, Answer = unknown> extends StatsNeed {
  /** Makes a call for one domain. The call must not wait for QEMU, because a stopped QEMU would delay all domains. */
  ask?(session: LibvirtClient, domain: DomainRef, options: { readonly deadlineMs: number }): Promise<Answer>;
  /** The next call of `read` for the domain gets the value as `previous`. */
  readonly keepsPrevious?: true;
  /** `read` is called in cycles without its family, too, with what other families need. So it sees changes. */
  readonly everyCycle?: true;
  /** Returns the value, or undefined if libvirt reports none. `previous` is the last value of the same run of the domain. */
  read(input: ReaderInput<Answer>, previous: Value | undefined): Value | undefined;
}

/** What is known about a domain in a cycle. */
export interface ReaderInput<Answer = unknown> {
  readonly info: BasicInfo;
  /** The sample without readings. */
  readonly sample: DomainSample;
  /** The domain's bulk statistics; undefined if they are missing. */
  readonly report: DomainReport | undefined;
  /** Where the values of a need with `mayBeKept` are: the statistics of this cycle, or values of an earlier one. */
  readonly kept: TypedParameters | undefined;
  readonly vm: VmName;
  /** The domain's XML; undefined if it was not needed. */
  readonly layout: DomainLayout | undefined;
  /** When the VM began to run, in seconds since the epoch; undefined if it is not known. */
  readonly startedS: number | undefined;
  /** The result of `ask`; undefined if it is missing. */
  readonly answer: Answer | undefined;
}

/** Groups of the bulk call with values that libvirt gets from QEMU. */
const QEMU_GROUPS = STATS_GROUP.BLOCK | STATS_GROUP.BALLOON | STATS_GROUP.VCPU;

/** Returns whether QEMU is called for any of these needs. Without it no QEMU is known to be stuck. */
export function callsQemu(needs: readonly StatsNeed[]): boolean {
  return needs.some(({ groups }) => (groups & QEMU_GROUPS) !== 0);
}

/** Returns the value of this reader in the sample. */
export function reading<Value>(sample: DomainSample, reader: StatsReader<Value>): Value | undefined {
  return sample.readings?.get(reader) as Value | undefined;
}
