import type { FieldType, RawGroup } from "../../contract.ts";
import { STATS_GROUP } from "../../libvirt/protocol.ts";
import { Double, type TypedParameters, type TypedValue } from "../../libvirt/types.ts";
import type { StatsNeed, StatsReader } from "../stats-needs.ts";

/** All statistics of a domain, as libvirt sends them: those of the groups that any family needs. */
export const RAW: StatsReader<TypedParameters> = { groups: 0, read: ({ report }) => report?.params };

export type RawParameters = TypedParameters;

/** The value of a field of `vm_raw`. */
export type RawValue = Exclude<TypedValue, Double>;

/** Returns a parameter's value as a field has it, with libvirt's type. */
export function rawField(value: TypedValue): readonly [type: FieldType, value: RawValue] {
  if (value instanceof Double) return ["float", value.value];
  return [typeof value === "string" ? "string" : typeof value === "boolean" ? "boolean" : "integer", value];
}

/** Group -> its part of the bulk call, and the libvirt in which it is new. Older ones ignore it. */
const GROUPS: Readonly<Record<RawGroup, StatsNeed & { readonly since?: string }>> = {
  State: { groups: STATS_GROUP.STATE },
  CpuTotal: { groups: STATS_GROUP.CPU_TOTAL },
  Balloon: { groups: STATS_GROUP.BALLOON },
  Vcpu: { groups: STATS_GROUP.VCPU },
  Interface: { groups: STATS_GROUP.INTERFACE },
  Block: { groups: STATS_GROUP.BLOCK },
  Perf: { groups: STATS_GROUP.PERF },
  Iothread: { groups: STATS_GROUP.IOTHREAD, since: "4.10.0" },
  Memory: { groups: STATS_GROUP.MEMORY, since: "6.0.0" },
  DirtyRate: { groups: STATS_GROUP.DIRTYRATE, since: "7.2.0" },
  Vm: { groups: STATS_GROUP.VM, since: "8.9.0" },
};

/** Returns what the family Raw needs for these groups. */
export function rawNeeds(groups: readonly RawGroup[]): readonly StatsNeed[] {
  return groups.map((group) => GROUPS[group]);
}

/** Returns those of the groups that a daemon of one of these versions does not have. */
export function unsupportedGroups(groups: readonly RawGroup[], versions: readonly string[]): readonly RawGroup[] {
  return groups.filter((group) => {
    const { since } = GROUPS[group];
    return since !== undefined && versions.some((version) => isOlder(version, since));
  });
}

function isOlder(version: string, than: string): boolean {
  const [parts, others] = [version, than].map((text) => text.split(".").map(Number));
  for (const [index, other] of (others ?? []).entries()) {
    const part = parts?.[index] ?? 0;
    if (part !== other) return part < other;
  }
  return false;
}
