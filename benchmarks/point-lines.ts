import { Point } from "@influxdata/influxdb-client";
import type { DomainSample } from "../src/collection/domain-sample.ts";
import type { PartTags, SampleLines } from "../src/measurement/measurement.ts";
import { MEASUREMENTS } from "../src/measurement/registry.ts";
import { DEFAULT_FAMILIES } from "../src/contract.ts";

const WRITTEN = MEASUREMENTS.filter(({ family }) => DEFAULT_FAMILIES.includes(family));

/** Returns the lines of samples from the official client's Point, which rounds integers above 2^53. */
export function writeByPoints(samples: readonly DomainSample[]): Uint8Array {
  const lines: string[] = [];
  for (const sample of samples)
    for (const measurement of WRITTEN) measurement.write(sample, new PointLines(measurement.name, sample, lines));
  return Buffer.from(`${lines.join("\n")}\n`);
}

class PointLines implements SampleLines {
  readonly #measurement: string;
  readonly #sample: DomainSample;
  readonly #lines: string[];
  #point = new Point();

  constructor(measurement: string, sample: DomainSample, lines: string[]) {
    this.#measurement = measurement;
    this.#sample = sample;
    this.#lines = lines;
  }

  begin(part: PartTags = {}): void {
    const { id, name, uuid } = this.#sample.identity;
    this.#point = new Point(this.#measurement).tag("VMID", String(id)).tag("name", name).tag("uuid", uuid);
    for (const [key, value] of Object.entries(part)) if (value !== undefined) this.#point.tag(key, value);
  }

  integer(key: string, value: bigint | number | undefined): void {
    this.#point.intField(key, Number(value ?? 0));
  }

  knownInteger(key: string, value: bigint | number | undefined): void {
    if (value !== undefined) this.#point.intField(key, Number(value));
  }

  float(key: string, value: number | undefined): void {
    if (value !== undefined) this.#point.floatField(key, value);
  }

  string(key: string, value: string): void {
    this.#point.stringField(key, value);
  }

  text(key: string, value: string | undefined): void {
    if (value !== undefined) this.#point.stringField(key, value);
  }

  omitParameter(): void {
    throw new Error("only vm_raw has parameters");
  }

  boolean(key: string, value: boolean): void {
    this.#point.booleanField(key, value);
  }

  end(): void {
    const line = this.#point.timestamp(`${this.#sample.timestampMs}000000`).toLineProtocol();
    if (line !== undefined) this.#lines.push(line);
  }
}
