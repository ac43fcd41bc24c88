import { DISK_COUNTERS, DISK_DETAIL_COUNTERS, NIC_COUNTERS, type Counter, type Family } from "../contract.ts";

const statsOf = (prefix: string, table: Readonly<Record<string, Counter>>): readonly string[] =>
  Object.values(table).map(({ stat }) => `${prefix}.N.${stat}`);
const named = (prefix: string, ...names: readonly string[]): readonly string[] => names.map((name) => prefix + name);

/**
 * Family -> the parameters of libvirt's statistics that its lines have, with N for a number. Names of devices are not among
 * them: in `vm_raw` they tell which device a line is about.
 */
const CLAIMS: Readonly<Partial<Record<Family, readonly string[]>>> = {
  Metrics: ["state.state", "cpu.time", "balloon.current", "balloon.maximum", "vcpu.current"],
  Devices: [...statsOf("net", NIC_COUNTERS), ...statsOf("block", DISK_COUNTERS)],
  Totals: [
    ...["state.state", "cpu.time", "cpu.user", "cpu.system", "vcpu.current"],
    ...named("balloon.", "current", "rss", "available", "usable", "swap_in", "swap_out"),
    ...named("balloon.", "major_fault", "minor_fault", "disk_caches"),
  ],
  Disks: statsOf("block", DISK_DETAIL_COUNTERS),
  Memory: named("balloon.", "unused", "last-update", "hugetlb_pgalloc", "hugetlb_pgfail"),
  Status: ["state.reason"],
  Cpu: ["cpu.haltpoll.success.time", "cpu.haltpoll.fail.time", "vcpu.maximum"],
  Vcpus: named("vcpu.N.", "state", "time", "wait", "delay"),
};

/** Returns the parameters that these families write, with N for a number. */
export function claimedParameters(families: readonly Family[]): ReadonlySet<string> {
  return new Set(families.flatMap((family) => CLAIMS[family] ?? []));
}
