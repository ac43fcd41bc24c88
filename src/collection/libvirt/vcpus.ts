import { STATS_GROUP } from "../../libvirt/protocol.ts";
import type { VcpuInfo } from "../../libvirt/types.ts";
import type { StatsReader } from "../stats-needs.ts";
import { counter } from "./typed-values.ts";

/** One online vCPU. Times are cumulative, in nanoseconds. */
export interface VcpuSample extends VcpuInfo {
  /** Time that the vCPU waited for a disk or for memory; undefined if QEMU did not answer, or the host does not count it. */
  readonly waitNs: bigint | undefined;
  /** Time that the vCPU was ready to run, but the host ran something else: the guest's steal time. */
  readonly delayNs: bigint | undefined;
}

/**
 * The online vCPUs, in the order of their numbers. They need a call of their own, because the bulk statistics lack the
 * host CPU, and need QEMU for state and time.
 */
export const VCPUS: StatsReader<readonly VcpuSample[], readonly VcpuInfo[]> = {
  groups: STATS_GROUP.VCPU,
  ask: (session, domain, options) => session.domainVcpus(domain, options),
  read: ({ report, answer: vcpus }) =>
    vcpus?.map((vcpu) => ({
      ...vcpu,
      waitNs: report && counter(report.params, `vcpu.${vcpu.number}.wait`),
      delayNs: report && counter(report.params, `vcpu.${vcpu.number}.delay`),
    })),
};

/** Returns the sum of a value over the vCPUs; undefined without vCPUs, or if a vCPU lacks the value. */
export function sumOverVcpus(
  vcpus: readonly VcpuSample[] | undefined,
  value: "waitNs" | "delayNs",
): bigint | undefined {
  if (vcpus === undefined || vcpus.length === 0) return undefined;
  let sum = 0n;
  for (const { [value]: one } of vcpus) {
    if (one === undefined) return undefined;
    sum += one;
  }
  return sum;
}
