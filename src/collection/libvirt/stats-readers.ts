import type { LibvirtClient } from "../../libvirt/client.ts";
import type { DomainRef, TypedParameters } from "../../libvirt/types.ts";
import type { DomainSample } from "../domain-sample.ts";
import type { StatsNeed, StatsReader } from "../stats-needs.ts";
import { undefinedIfRejected } from "./basic-info.ts";

/** Returns the groups of the bulk call that serve all these needs, a mask of STATS_GROUP. */
export function statsGroups(needs: readonly StatsNeed[], cpuTimesKnown: boolean): number {
  return needs.reduce(
    (groups, need) => (need.unlessCpuTimes === true && cpuTimesKnown ? groups : groups | need.groups),
    0,
  );
}

/** Returns the needs that have a value of their own. */
export function readersOf(needs: readonly StatsNeed[]): readonly StatsReader<unknown>[] {
  return needs.filter((need): need is StatsReader<unknown> => "read" in need);
}

/** Returns the values of these readers for one domain. */
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
      const answer = reader.ask && (await undefinedIfRejected(reader.ask(session, domain, { deadlineMs })));
      return [reader, reader.read(params, answer)] as const;
    }),
  );
  return { readings: new Map(values) };
}
