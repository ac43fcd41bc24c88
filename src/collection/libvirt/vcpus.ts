import { STATS_GROUP } from "../../libvirt/protocol.ts";
import type { VcpuInfo } from "../../libvirt/types.ts";
import type { StatsReader } from "../stats-needs.ts";
import { counter } from "./typed-values.ts";

/** One online vCPU. Times are cumulative, in nanoseconds. */
export interface VcpuSample extends VcpuInfo {
  /** Waited for a disk or for memory; undefined when QEMU did not answer, or the host has no such number. */
  readonly waitNs: bigint | undefined;
  /** Ready to run, but the host ran something else: what the guest sees as steal time. */
  readonly delayNs: bigint | undefined;
}

/** The online vCPUs, in the order of their numbers. `domstats` has no host CPU, and needs QEMU for state and time. */
export const VCPUS: StatsReader<readonly VcpuSample[], readonly VcpuInfo[]> = {
  groups: STATS_GROUP.VCPU,
  ask: (session, domain, options) => session.domainVcpus(domain, options),
  read: (params, vcpus) =>
    vcpus?.map((vcpu) => ({
      ...vcpu,
      waitNs: params && counter(params, `vcpu.${vcpu.number}.wait`),
      delayNs: params && counter(params, `vcpu.${vcpu.number}.delay`),
    })),
};
