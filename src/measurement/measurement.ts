import type { DomainSample } from "../collection/domain-sample.ts";
import type { StatsNeed } from "../collection/stats-needs.ts";
import type { Family, PartTag } from "../contract.ts";

/** One measurement of the data contract. `docs/ARCHITECTURE.md` says what adding one takes. */
export interface Measurement {
  readonly name: string;
  readonly family: Family;
  /** What it reads beside the basic information; libvirt is asked for the union over the families that are on. */
  readonly needs: readonly StatsNeed[];
  /** Writes the lines of one domain; those that this sample cannot fill truthfully are left out. */
  write(sample: DomainSample, lines: SampleLines): void;
}

/** Where a measurement writes: lines that carry the domain's tags already, and the policy for missing values. */
export interface SampleLines {
  /** Begins a line; `part` has the tags of the device, vCPU or other part of the VM that the line is about. */
  begin(part?: PartTags): void;
  /** An undefined value becomes 0 or is left out, as `spec.collection.onMissing` says, and is reported. */
  integer(key: string, value: bigint | number | undefined): void;
  float(key: string, value: number): void;
  string(key: string, value: string): void;
  end(): void;
}

/** A tag without a value is left out. */
export type PartTags = Readonly<Partial<Record<PartTag, string | undefined>>>;
