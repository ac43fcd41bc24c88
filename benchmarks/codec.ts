import { finish } from "../src/libvirt/decode-queue.ts";
import { readDomainStats } from "../src/libvirt/replies.ts";
import { TypedParameterDecoder } from "../src/libvirt/typed-parameters.ts";
import type { DomainStats } from "../src/libvirt/types.ts";
import { XdrReader } from "../src/libvirt/xdr.ts";
import { newLineCounters } from "../src/measurement/line-protocol.ts";
import { Encoder, type EncoderOptions } from "../src/measurement/encoder.ts";
import { decodeNaively } from "./naive-decoder.ts";
import { SHAPE } from "./node.ts";
import { writeByPoints } from "./point-lines.ts";
import { interleave, median } from "./rounds.ts";
import { mapperOf, replyOf, syntheticDomains } from "./simulated-samples.ts";

/** CPU microseconds per domain of one step from a reply to lines, and of its baseline. */
export interface CodecCost {
  readonly domains: number;
  readonly step: string;
  readonly ours: number;
  /** Undefined if there is no baseline. */
  readonly baseline: number | undefined;
}

export const ALL_FAMILIES: EncoderOptions = {
  families: ["Metrics", "Features", "Devices", "Totals"],
  onMissing: "Zero",
  measurementPrefix: "",
  staticTags: {},
};

const SIZES = [50, 500];
const ROUNDS = 9;
const SAMPLE_MS = 100;
const WARM_UP_MS = 1_000;

interface Step {
  readonly step: string;
  readonly ours: () => unknown;
  readonly baseline?: () => unknown;
}

/** Measures the agent's processing of simulated replies to the bulk call, step by step. */
export async function measureCodec(): Promise<readonly CodecCost[]> {
  const costs: CodecCost[] = [];
  for (const domains of SIZES) {
    for (const { step, ours, baseline } of steps(domains)) {
      const subjects = [ours, ...(baseline === undefined ? [] : [baseline])];
      for (const subject of subjects) cpuUs(subject, WARM_UP_MS);
      const samples = await interleave(subjects, ROUNDS, (subject) => cpuUs(subject, SAMPLE_MS) / domains);
      const of = (subject: () => unknown): number => median(samples.get(subject) ?? [], (us) => us);
      costs.push({ domains, step, ours: of(ours), baseline: baseline && of(baseline) });
    }
  }
  return costs;
}

/** Returns the CPU time of one run in microseconds, with its garbage collection. */
function cpuUs(run: () => unknown, forMs: number): number {
  const begun = performance.now();
  const before = process.cpuUsage();
  let runs = 0;
  while (performance.now() - begun < forMs) {
    run();
    runs++;
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / runs;
}

function steps(count: number): readonly Step[] {
  const domains = syntheticDomains(count, SHAPE);
  const reply = replyOf(domains);
  const parameters = new TypedParameterDecoder();
  const decode = (): DomainStats[] => finish(readDomainStats(new XdrReader(reply), parameters));
  const map = mapperOf(domains);
  const stats = decode();
  const samples = map(stats);
  const encoder = new Encoder(ALL_FAMILIES, newLineCounters(), () => undefined);
  return [
    { step: "decode the reply", ours: decode, baseline: () => decodeNaively(reply) },
    { step: "map to samples", ours: () => map(stats) },
    {
      step: "write line protocol",
      ours: () => {
        for (const sample of samples) encoder.encode(sample);
        return encoder.take();
      },
      baseline: () => writeByPoints(samples),
    },
  ];
}
