import type { BasicInfo } from "../src/collection/libvirt/basic-info.ts";
import type { DomainSample } from "../src/collection/domain-sample.ts";
import { cpuSample, deviceSamples, domainReport, memorySample } from "../src/collection/libvirt/sample-mapping.ts";
import { parseDomainXml } from "../src/discovery/domain-layout.ts";
import { STATS_GROUP } from "../src/libvirt/protocol.ts";
import { finish } from "../src/libvirt/decode-queue.ts";
import { readDomainStats } from "../src/libvirt/replies.ts";
import { TypedParameterDecoder, writeTypedParameters } from "../src/libvirt/typed-parameters.ts";
import type { DomainStats } from "../src/libvirt/types.ts";
import { writeDomain } from "../src/libvirt/wire-types.ts";
import { XdrReader, XdrWriter } from "../src/libvirt/xdr.ts";
import { SyntheticDomain, type DomainShape } from "../src/simulator/synthetic-domain.ts";

type Devices = Pick<DomainShape, "nics" | "disks">;

const GROUPS = STATS_GROUP.BALLOON | STATS_GROUP.INTERFACE | STATS_GROUP.BLOCK;
const UPTIME_S = 3_600;

/** Returns the samples of one cycle of `count` domains. */
export function simulatedSamples(count: number, shape: Devices): readonly DomainSample[] {
  const domains = syntheticDomains(count, shape);
  return mapperOf(domains)(finish(readDomainStats(new XdrReader(replyOf(domains)), new TypedParameterDecoder())));
}

export function syntheticDomains(count: number, { nics, disks }: Devices): readonly SyntheticDomain[] {
  return Array.from({ length: count }, (_, index) => new SyntheticDomain(index + 1, { nics, disks, seed: 1 }));
}

/** Returns the reply to the bulk call. */
export function replyOf(domains: readonly SyntheticDomain[]): Buffer {
  const writer = new XdrWriter();
  writer.array(domains, (domain) => {
    writeDomain(writer, domain.ref);
    writeTypedParameters(writer, domain.stats(GROUPS, UPTIME_S, true));
  });
  return writer.bytes();
}

/** Maps a reply as the collector does, with its other data of these domains. */
export function mapperOf(domains: readonly SyntheticDomain[]): (stats: readonly DomainStats[]) => DomainSample[] {
  const known = domains.map((domain) => {
    const [time, user, system] = [...domain.cpuStats(UPTIME_S).values()].map((value) => value as bigint);
    const facts: BasicInfo = {
      domain: domain.ref,
      info: domain.info(UPTIME_S),
      readMs: 5_000,
      cpu: { time, user, system, readMs: 5_000 },
    };
    return { facts, layout: parseDomainXml(domain.ref.name, domain.xml()) };
  });
  return (stats) =>
    stats.flatMap(({ domain: identity, params }, index): DomainSample[] => {
      const { facts, layout } = known[index] ?? {};
      if (facts === undefined || layout === undefined) return [];
      const memory = memorySample(facts, params);
      return [
        {
          timestampMs: 1_699_900_000_000,
          identity,
          state: facts.info.state,
          cpu: cpuSample(facts, params),
          memory,
          ...deviceSamples(layout, domainReport(params, GROUPS)),
          previous: { current: facts.info.memoryKiB, monotonicMs: 0 },
        },
      ];
    });
}
