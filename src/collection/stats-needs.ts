import type { LibvirtClient } from "../libvirt/client.ts";
import { STATS_GROUP } from "../libvirt/protocol.ts";
import type { DomainRef, TypedParameters } from "../libvirt/types.ts";
import { unlessRefused } from "./domain-facts.ts";
import type { DomainSample } from "./domain-sample.ts";

/** A part of what libvirt can tell about a domain. A measurement names the parts that it needs; no other is asked for. */
export interface StatsNeed {
  /** Groups of the bulk call, a mask of STATS_GROUP. */
  readonly groups: number;
  /** The groups are not asked for where the daemon's cgroups have already told the CPU times. */
  readonly unlessCpuTimes?: true;
}

/** Counters of network interfaces and disks: `sample.nics` and `sample.disks`. */
export const DEVICES: StatsNeed = { groups: STATS_GROUP.INTERFACE | STATS_GROUP.BLOCK };
/** `sample.memory` beyond its maximum and its current size. */
export const BALLOON: StatsNeed = { groups: STATS_GROUP.BALLOON };
/** User and system time apart: `sample.cpu`. */
export const CPU_TIMES: StatsNeed = { groups: STATS_GROUP.CPU_TOTAL, unlessCpuTimes: true };

/** A need with a value of its own in the sample; `reading()` gets it. */
export interface StatsReader<Value> extends StatsNeed {
  /** A call for one domain. It must not wait for QEMU, so that a stopped one holds up nothing. */
  ask?(session: LibvirtClient, domain: DomainRef, options: { readonly deadlineMs: number }): Promise<unknown>;
  /**
   * The value, from the domain's bulk statistics and the answer to `ask`; each is undefined when it did not come.
   * Undefined when libvirt reports nothing.
   */
  read(params: TypedParameters | undefined, answer: unknown): Value | undefined;
}

/** The value that this reader has read for the sample. */
export function reading<Value>(sample: DomainSample, reader: StatsReader<Value>): Value | undefined {
  return sample.readings?.get(reader) as Value | undefined;
}

/** The groups of the bulk call that serve all these needs. */
export function groupsOf(needs: readonly StatsNeed[], cpuTimesKnown: boolean): number {
  return needs.reduce(
    (groups, need) => (need.unlessCpuTimes === true && cpuTimesKnown ? groups : groups | need.groups),
    0,
  );
}

/** The needs that have a value of their own. */
export function readersOf(needs: readonly StatsNeed[]): readonly StatsReader<unknown>[] {
  return needs.filter((need): need is StatsReader<unknown> => "read" in need);
}

/** What these readers read of one domain. */
export async function readAll(
  readers: readonly StatsReader<unknown>[],
  {
    session,
    domain,
    params,
    deadlineMs,
  }: {
    readonly session: LibvirtClient;
    readonly domain: DomainRef;
    readonly params: TypedParameters | undefined;
    readonly deadlineMs: number;
  },
): Promise<Pick<DomainSample, "readings">> {
  const values = await Promise.all(
    readers.map(async (reader) => {
      const answer = reader.ask && (await unlessRefused(reader.ask(session, domain, { deadlineMs })));
      return [reader, reader.read(params, answer)] as const;
    }),
  );
  return { readings: new Map(values) };
}
