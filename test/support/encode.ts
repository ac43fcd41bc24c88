import { parseLines, type Point } from "../../scripts/demo/line-protocol-parser.ts";
import type { DomainSample } from "../../src/collection/domain-sample.ts";
import { newLineCounters, type LineCounters } from "../../src/measurement/line-protocol.ts";
import { Encoder, type EncoderOptions } from "../../src/measurement/encoder.ts";

export const ALL: EncoderOptions = {
  families: ["Metrics", "Features", "Devices", "Totals"],
  onMissing: "Zero",
  measurementPrefix: "",
  staticTags: {},
};

interface Encoded {
  readonly text: string;
  readonly lines: number;
  readonly counters: LineCounters;
  /** Missing fields, in the order of their lines. */
  readonly missing: readonly string[];
}

/** Returns samples as line protocol, from a new encoder of all families. */
export function encode(samples: readonly DomainSample[], options: Partial<EncoderOptions> = {}): Encoded {
  const counters = newLineCounters();
  const missing: string[] = [];
  const encoder = new Encoder({ ...ALL, ...options }, counters, (field) => missing.push(field));
  for (const one of samples) encoder.encode(one);
  const { lines, bytes } = encoder.take();
  return { text: Buffer.from(bytes).toString(), lines, counters, missing };
}

/** Like `encode`, parsed by the strict parser, which throws on every line that an InfluxDB would reject. */
export function points(samples: readonly DomainSample[], options: Partial<EncoderOptions> = {}): Point[] {
  return parseLines(encode(samples, options).text);
}
