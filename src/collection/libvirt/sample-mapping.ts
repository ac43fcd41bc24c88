import type { Reported } from "../../discovery/device-cache.ts";
import type { DomainLayout } from "../../discovery/domain-layout.ts";
import { STATS_GROUP } from "../../libvirt/protocol.ts";
import type { TypedParameters } from "../../libvirt/types.ts";
import {
  diskIndex,
  diskSample,
  hasDiskCounters,
  nicIndex,
  nicSample,
  reportedDisks,
  reportedNics,
  type DeviceIndex,
} from "./device-stats.ts";
import type { BudgetChecks } from "./budget-checks.ts";
import type { BasicInfo } from "./basic-info.ts";
import type { CpuSample, DomainSample, MemorySample } from "../domain-sample.ts";
import { LATE_GROUPS, type LateReply } from "./blocked-calls.ts";
import { counter } from "./typed-values.ts";

/** The bulk statistics of one domain, with an index of its devices. */
export interface DomainReport {
  readonly params: TypedParameters;
  readonly nics: DeviceIndex;
  readonly disks: DeviceIndex;
  /**
   * False if libvirt skipped QEMU's monitor because it is busy; then only libvirt's own values are present. Undefined if
   * neither disks nor the balloon were requested, which need the monitor.
   */
  readonly monitorAnswered: boolean | undefined;
}

/**
 * Returns the report of one domain. `groups` is the mask of the requested groups.
 * @throws {BudgetError} of `checks`
 */
export function domainReport(params: TypedParameters, groups: number, checks?: BudgetChecks): DomainReport {
  const nics = nicIndex(params);
  const disks = diskIndex(params);
  checks?.checkReport(nics, disks);
  return { params, nics, disks, monitorAnswered: monitorAnswered(params, disks, groups) };
}

/** Returns the report completed with QEMU's values from a blocked call; undefined if the two do not match. */
export function completedReport(
  report: DomainReport | undefined,
  { params, isOfCycle }: LateReply,
  groups: number,
  checks?: BudgetChecks,
): DomainReport | undefined {
  const late = domainReport(params, groups, checks);
  if (late.monitorAnswered !== true) return undefined;
  if (report === undefined) return isOfCycle ? late : undefined;
  // Values are found by disk index, so both must have the same disks.
  const { nics, disks } = report;
  if (disks.size > 0 && !isSameIndex(disks, late.disks)) return undefined;
  const usable = isOfCycle ? params : [...params].filter(([field]) => /^(balloon|block)\./.test(field));
  // `report` is from the later call, so its own values are newer.
  const merged = new Map([...usable, ...report.params]);
  return { params: merged, nics, disks: late.disks, monitorAnswered: true };
}

function isSameIndex(one: DeviceIndex, other: DeviceIndex): boolean {
  return one.size === other.size && [...one].every(([device, index]) => other.get(device) === index);
}

function monitorAnswered(params: TypedParameters, disks: DeviceIndex, groups: number): boolean | undefined {
  if ((groups & LATE_GROUPS) === 0) return undefined;
  // libvirt reports the resident set whenever the monitor answers, even without a balloon.
  if (params.has("balloon.rss") || hasDiskCounters(params, disks)) return true;
  // Without disks and balloon statistics there is no sign that the monitor did not answer.
  return disks.size === 0 && (groups & STATS_GROUP.BALLOON) === 0;
}

/** Returns the virDomainState and its reason. Both come from the bulk statistics if it has both, so that they match. */
export function domainState(
  { info }: BasicInfo,
  params: TypedParameters | undefined,
): { readonly state: number; readonly reason: number | undefined } {
  const [state, reason] = ["state.state", "state.reason"].map((field) => params && counter(params, field));
  return state === undefined || reason === undefined
    ? { state: info.state, reason: undefined }
    : { state: Number(state), reason: Number(reason) };
}

/** `kept` has user and system time. The CPU time is never a kept one: rates are computed from it. */
export function cpuSample({ info, cpu }: BasicInfo, params: TypedParameters | undefined, kept = params): CpuSample {
  const value = (from: TypedParameters | undefined, field: string): bigint | undefined =>
    from === undefined ? undefined : counter(from, field);
  return {
    count: info.vcpus,
    time: cpu?.time ?? value(params, "cpu.time") ?? info.cpuTimeNs,
    user: cpu?.user ?? value(kept, "cpu.user"),
    system: cpu?.system ?? value(kept, "cpu.system"),
  };
}

export function memorySample({ info, readMs }: BasicInfo, kept: TypedParameters | undefined): MemorySample {
  const balloon = (field: string): bigint | undefined =>
    kept === undefined ? undefined : counter(kept, `balloon.${field}`);
  return {
    maximum: info.maxMemoryKiB,
    current: info.memoryKiB,
    rss: balloon("rss"),
    available: balloon("available"),
    usable: balloon("usable"),
    swapIn: balloon("swap_in"),
    swapOut: balloon("swap_out"),
    majorFault: balloon("major_fault"),
    minorFault: balloon("minor_fault"),
    diskCaches: balloon("disk_caches"),
    monotonicMs: readMs,
  };
}

/** Returns the devices in the statistics. The disks are certain only if QEMU's monitor has answered. */
export function reportedDevices({ params, nics, disks, monitorAnswered }: DomainReport): Reported {
  return {
    nics: reportedNics(params, nics),
    blocks: monitorAnswered === true ? reportedDisks(params, disks) : undefined,
  };
}

export interface DeviceSamples extends Pick<DomainSample, "nics" | "disks"> {
  readonly layout: DomainLayout;
}

export function deviceSamples(
  layout: DomainLayout,
  { params, nics, disks, monitorAnswered }: DomainReport,
): DeviceSamples {
  return {
    layout,
    nics: layout.nics.map((nic) => nicSample(nic, params, nics.get(nic.device))),
    disks:
      monitorAnswered === true
        ? layout.disks.map((disk) => diskSample(disk, params, disks.get(disk.device)))
        : undefined,
  };
}
