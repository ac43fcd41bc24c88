import { isDeepStrictEqual } from "node:util";
import type { DiskFacts, DomainFacts, NicFacts } from "../../discovery/domain-facts.ts";
import { ownValue } from "../../lib/own-value.ts";
import type { ReaderInput, StatsReader } from "../stats-needs.ts";
import type { VmName } from "./domain-history.ts";

/** What a VM is, apart from its numbers. */
export interface VmInfo {
  readonly domain: Omit<DomainFacts, "disks" | "nics">;
  /** From its VMI; undefined without a cluster. */
  readonly facts: VmName["facts"];
  /** NICs and disks that are reported. */
  readonly nicCount: number;
  readonly diskCount: number;
  readonly nics: readonly (NicFacts & { readonly address: string | undefined })[];
  readonly disks: readonly (DiskFacts & { readonly claim: string | undefined })[];
}

/** The facts, and what they were made of. */
interface Reading {
  readonly info: VmInfo;
  readonly from: Pick<ReaderInput, "layout"> & { readonly facts: VmName["facts"]; readonly claims: VmName["claims"] };
  /** Whether the facts differ from the previous ones, or there are none. */
  readonly isChanged: boolean;
}

/** The facts of a VM, from the XML and the VMI that are known anyhow. Without the XML, the one of the last reading counts. */
export const VM_INFO: StatsReader<Reading> = {
  groups: 0,
  keepsPrevious: true,
  everyCycle: true,
  read({ layout: current, vm: { facts, claims } }, previous) {
    const layout = current ?? previous?.from.layout;
    if (layout?.facts === undefined) return undefined;
    const before = previous?.from;
    if (before?.layout === layout && before.facts === facts && before.claims === claims)
      return previous?.isChanged === true ? { ...previous, isChanged: false } : previous;
    const { disks, nics, ...domain } = layout.facts;
    const valueOf = (
      values: Readonly<Record<string, string>> | undefined,
      key: string | undefined,
    ): string | undefined => (values === undefined || key === undefined ? undefined : ownValue(values, key));
    const info = {
      domain,
      facts,
      nicCount: layout.nics.length,
      diskCount: layout.disks.length,
      nics: nics.map((nic) => ({ ...nic, address: valueOf(facts?.addresses, nic.alias) })),
      disks: disks.map((disk) => ({ ...disk, claim: valueOf(claims, disk.alias) })),
    };
    return { info, from: { layout, facts, claims }, isChanged: !isDeepStrictEqual(info, previous?.info) };
  },
};
