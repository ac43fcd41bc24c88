import { LibvirtSource } from "../src/collection/libvirt/libvirt-source.ts";
import { systemClock } from "../src/lib/clock.ts";
import { LibvirtClient } from "../src/libvirt/client.ts";
import { DOMAIN_FILTER, STATS_GROUP } from "../src/libvirt/protocol.ts";
import { newLineCounters } from "../src/measurement/line-protocol.ts";
import { Encoder } from "../src/measurement/encoder.ts";
import { compressLines } from "../src/spool/gzip-member.ts";
import { ALL_FAMILIES } from "./codec.ts";
import type { BenchNode } from "./node.ts";
import { interleave, median } from "./rounds.ts";
import { BALLOON, CPU_TIMES, DEVICES } from "../src/collection/stats-needs.ts";

/** Milliseconds from the first call to lines ready for the spool, and of the calls alone. */
export interface CycleWall {
  readonly cycle: number;
  readonly calls: number;
}

const ROUNDS = 40;
const WARM_UP_ROUNDS = 10;
const DEADLINE = { deadlineMs: 60_000 };

/** Measures a cycle against its libvirt calls alone. */
export async function measureCycleWall(node: BenchNode): Promise<CycleWall> {
  using client = await LibvirtClient.open(node.socket, DEADLINE);
  const settings = { timeoutMs: 4_000, deviceCacheTtlMs: 300_000, needs: [DEVICES, BALLOON, CPU_TIMES] };
  const collector = new LibvirtSource({ socket: node.socket }, settings, systemClock);
  const encoder = new Encoder(ALL_FAMILIES, newLineCounters(), () => undefined);
  const cycle = async (): Promise<void> => {
    const { samples, errors } = await collector.collect();
    if (errors.length > 0) throw new AggregateError(errors, "a cycle failed");
    for (const sample of samples) encoder.encode(sample);
    await compressLines(encoder.take().bytes);
  };
  const calls = async (): Promise<void> => {
    const domains = await client.listDomains(DOMAIN_FILTER.ACTIVE, DEADLINE);
    await Promise.all(
      domains.flatMap((domain) => [client.domainInfo(domain, DEADLINE), client.domainCpuStats(domain, DEADLINE)]),
    );
    const groups = STATS_GROUP.BALLOON | STATS_GROUP.INTERFACE | STATS_GROUP.BLOCK;
    await client.allDomainStats({ groups, flags: DOMAIN_FILTER.ACTIVE | DOMAIN_FILTER.NOWAIT }, DEADLINE);
  };
  try {
    await interleave([cycle, calls], WARM_UP_ROUNDS, wall);
    const walls = await interleave([cycle, calls], ROUNDS, wall);
    const [ofCycle = 0, ofCalls = 0] = [...walls.values()].map((samples) => median(samples, (ms) => ms));
    return { cycle: ofCycle, calls: ofCalls };
  } finally {
    collector.close();
  }
}

async function wall(run: () => Promise<void>): Promise<number> {
  const begun = performance.now();
  await run();
  return performance.now() - begun;
}
