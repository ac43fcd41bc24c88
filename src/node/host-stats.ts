import { readFile } from "node:fs/promises";
import type { HostStats } from "../collection/node-sample.ts";

/** The kernel counts CPU times in hundredths of a second, on every architecture. */
const NANOSECONDS_PER_TICK = 10_000_000n;

/**
 * Returns the CPU times and the memory of the host. They are those that `virsh nodecpustats` and `nodememstats` show,
 * from the same files of the kernel. A container sees those of its host. Libvirt is not asked, because in a cluster
 * each libvirt belongs to a tenant. Returns undefined if the files cannot be read.
 */
export async function readHostStats(directory = "/proc"): Promise<HostStats | undefined> {
  try {
    const [stat, meminfo] = await Promise.all(
      ["stat", "meminfo"].map((name) => readFile(`${directory}/${name}`, "latin1")),
    );
    return parseHostStats(stat ?? "", meminfo ?? "");
  } catch {
    return undefined;
  }
}

/** Returns undefined if `stat` has no CPU times. */
export function parseHostStats(stat: string, meminfo: string): HostStats | undefined {
  const times = /^cpu +(.*)$/m.exec(stat)?.[1]?.split(" ").map(ticks) ?? [];
  const [user, nice, system, idle, iowait, irq, softirq] = times;
  if (user === undefined || nice === undefined || system === undefined || idle === undefined) return undefined;
  const kib = (field: string): bigint | undefined => {
    const text = new RegExp(`^${field}: +(\\d{1,15}) kB$`, "m").exec(meminfo)?.[1];
    return text === undefined ? undefined : BigInt(text);
  };
  return {
    cpus: stat.match(/^cpu\d+ /gm)?.length ?? 0,
    userNs: user + nice,
    kernelNs: system + (irq ?? 0n) + (softirq ?? 0n),
    idleNs: idle,
    iowaitNs: iowait ?? 0n,
    memoryKib: kib("MemTotal"),
    freeKib: kib("MemFree"),
  };
}

function ticks(text: string): bigint | undefined {
  return /^\d{1,18}$/.test(text) ? BigInt(text) * NANOSECONDS_PER_TICK : undefined;
}
