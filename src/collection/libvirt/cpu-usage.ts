import { growth } from "../../lib/growth.ts";
import type { StatsReader } from "../stats-needs.ts";
import { counter } from "./typed-values.ts";

export interface CpuUsage {
  /** CPU time in nanoseconds. */
  readonly time: bigint;
  /** Whether the time is from cgroups. Other sources count less, so the two are not compared. */
  readonly isFromCgroup: boolean;
  /** When the time was read, in milliseconds on the monotonic clock. */
  readonly readMs: number;
  /** Usage since the previous sample: 100 is one CPU of the host. Undefined in the first sample, and after a reset. */
  readonly percent: number | undefined;
  /** Time that the host has polled for work of an idle vCPU, in nanoseconds. Present if CPU_TOTAL is asked anyhow. */
  readonly haltPollSuccess: bigint | undefined;
  readonly haltPollFail: bigint | undefined;
  /** vCPUs that can be plugged; known if the XML is read or VCPU is asked anyhow. */
  readonly maxVcpus: number | undefined;
}

const NANOSECONDS_PER_MS = 1e6;

/** The use of the host's CPUs, from what is read anyhow. */
export const CPU_USAGE: StatsReader<CpuUsage> = {
  groups: 0,
  keepsPrevious: true,
  read({ info: { info, cpu, readMs }, report, kept, layout }, previous) {
    const now =
      cpu?.time === undefined
        ? { time: info.cpuTimeNs, isFromCgroup: false, readMs }
        : { time: cpu.time, isFromCgroup: true, readMs: cpu.readMs };
    // On a host with cgroups these may be asked although the kept ones are older.
    const value = (field: string): bigint | undefined =>
      (report && counter(report.params, field)) ?? (kept && counter(kept, field));
    return {
      ...now,
      percent: percentOf(previous, now),
      haltPollSuccess: value("cpu.haltpoll.success.time"),
      haltPollFail: value("cpu.haltpoll.fail.time"),
      maxVcpus: layout?.maxVcpus ?? numberOf(value("vcpu.maximum")),
    };
  },
};

function numberOf(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

type Reading = Pick<CpuUsage, "time" | "isFromCgroup" | "readMs">;

function percentOf(before: Reading | undefined, now: Reading): number | undefined {
  if (before?.isFromCgroup !== now.isFromCgroup || now.readMs <= before.readMs) return undefined;
  const ns = growth(before.time, now.time);
  return ns === undefined ? undefined : (ns / ((now.readMs - before.readMs) * NANOSECONDS_PER_MS)) * 100;
}
