import { domainLoads } from "../../src/collection/domain-load.ts";
import { HISTORY_CYCLES, type PastLoads } from "../../src/collection/load-history.ts";
import type { AgentView, EndpointView } from "../../src/observability/agent-view.ts";
import { mulberry32 } from "../../src/simulator/synthetic-domain.ts";

/** How far a load swings around its average, and how much of it is noise. Together below 1, so that no load is negative. */
const SWING = 0.5;
const NOISE = 0.3;

/**
 * Returns a past for the VMs of these endpoints that agrees with their samples: each load ends with the value between the last two
 * samples, and one that is zero was always zero. VMs differ. A VM has some cycles without values.
 */
export function pastOf(endpoints: readonly EndpointView[]): AgentView["history"] {
  const pasts = new Map(
    endpoints.flatMap(({ endpoint, before, samples }) =>
      [...domainLoads(before, samples)].map(([{ identity, cpu }, load]): [string, PastLoads] => {
        const random = mulberry32(seedOf(endpoint + identity.uuid));
        const gap = Math.floor(random() * (HISTORY_CYCLES - 10));
        const past = (last: number, most = Number.POSITIVE_INFINITY): Float32Array => {
          const values = wave(random, last, most);
          return values.fill(Number.NaN, gap, gap + 2);
        };
        const { cpuPercent = 0, diskReadBytes = 0, diskWriteBytes = 0, netReceivedBytes = 0, netSentBytes = 0 } = load;
        return [
          endpoint + identity.uuid,
          {
            cpuPercent: past(cpuPercent, 100 * (cpu.count ?? 1)),
            diskBytes: past(diskReadBytes + diskWriteBytes),
            netBytes: past(netReceivedBytes + netSentBytes),
          },
        ];
      }),
    ),
  );
  const of = (endpoint: string, uuid: string): PastLoads | undefined => pasts.get(endpoint + uuid);
  return { of, latest: (endpoint, uuid, load) => of(endpoint, uuid)?.[load].at(-1) };
}

/** Returns values that rise and fall around an average, none above `most`, and end with `last`. */
function wave(random: () => number, last: number, most: number): Float32Array {
  const [periods, phase] = [1 + 2 * random(), 2 * Math.PI * random()];
  const shape = Array.from({ length: HISTORY_CYCLES }, (_, cycle) => {
    const swing = SWING * Math.sin((2 * Math.PI * periods * cycle) / HISTORY_CYCLES + phase);
    return 1 + swing + NOISE * (2 * random() - 1);
  });
  const scale = last / (shape.at(-1) ?? 1);
  return Float32Array.from(shape, (value) => Math.min(most, value * scale));
}

function seedOf(text: string): number {
  return Buffer.from(text).reduce((sum, byte) => (sum * 31 + byte) >>> 0, 7);
}
