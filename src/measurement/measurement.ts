import type { DomainSample } from "../collection/domain-sample.ts";

/** A part of the output that the configuration can switch on, `spec.collection.families`. */
export type Family = "Metrics" | "Features" | "Devices" | "Totals";

/** One measurement of the data contract. Adding one is adding a file and a line in `registry.ts`. */
export interface Measurement {
  readonly name: string;
  readonly family: Family;
  /** Writes the lines of one domain; those that this sample cannot fill truthfully are left out. */
  write(sample: DomainSample, lines: SampleLines): void;
}

/** Where a measurement writes: lines that carry the domain's tags already, and the policy for missing values. */
export interface SampleLines {
  begin(device?: DeviceTags): void;
  /** An undefined value becomes 0 or is left out, as `spec.collection.onMissing` says, and is reported. */
  integer(key: string, value: bigint | number | undefined): void;
  float(key: string, value: number): void;
  string(key: string, value: string): void;
  end(): void;
}

export interface DeviceTags {
  readonly devtype: "nic" | "disk";
  readonly device: string;
  readonly network?: string | undefined;
  readonly volume?: string | undefined;
}
