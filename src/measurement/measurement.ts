import type { DomainSample } from "../collection/domain-sample.ts";
import type { VmReport } from "../collection/vm-report.ts";
import type { NodeSample } from "../collection/node-sample.ts";
import type { StatsNeed } from "../collection/stats-needs.ts";
import type { Family, PartTag, RawGroup } from "../contract.ts";
import type { RawTypes } from "./raw-types.ts";

/** One measurement of the data contract. `docs/ARCHITECTURE.md` describes how to add one. */
export interface Measurement {
  readonly name: string;
  readonly family: Family;
  /** Statistics that it reads besides the basic information. The agent requests the union over the enabled families. */
  readonly needs: readonly StatsNeed[];
  /** Returns whether the sample has changes, so that its lines are written although the family is not due. */
  isDue?(sample: DomainSample): boolean;
  /** Returns the measurement for what the targets of an encoder receive, if it depends on that. */
  configured?(options: RawOptions): Measurement;
  /** Writes the lines of one domain. It leaves out a line if the sample lacks the values to fill it correctly. */
  write(sample: DomainSample, lines: SampleLines): void;
}

/** One measurement with lines that do not wait for a cycle: events, and the progress of jobs. */
export interface ReportMeasurement {
  readonly name: string;
  readonly family: Family;
  readonly needs: readonly StatsNeed[];
  /** Writes the line of a report, if the measurement is about it. */
  write(report: VmReport, lines: SampleLines): void;
}

/** One measurement with a line for each node, without tags of a VM. */
export interface NodeMeasurement {
  readonly name: string;
  readonly family: Family;
  readonly needs: readonly StatsNeed[];
  /** Writes the fields of the line. */
  write(sample: NodeSample, fields: Pick<SampleLines, "knownInteger" | "string">): void;
}

/** Writes the lines of a sample for a measurement: adds the domain's tags and applies the policy for missing values. */
export interface SampleLines {
  /** Begins a line. `part` has the tags of the part of the VM that the line describes, such as a device or vCPU. */
  begin(part?: PartTags): void;
  /** Writes an undefined value as 0 or leaves it out, as in `spec.collection.onMissing`, and reports it. */
  integer(key: string, value: bigint | number | undefined): void;
  /** Leaves an undefined value out, whatever `spec.collection.onMissing` is: a zero would be wrong. */
  knownInteger(key: string, value: bigint | number | undefined): void;
  /** Leaves an undefined value out. */
  float(key: string, value: number | undefined): void;
  string(key: string, value: string): void;
  /** Leaves an undefined or empty text out. Changes one that comes from outside as a tag would be changed. */
  text(key: string, value: string | undefined): void;
  boolean(key: string, value: boolean): void;
  /** Counts a parameter that `vm_raw` leaves out. */
  omitParameter(): void;
  end(): void;
}

/** What `vm_raw` has for targets that receive the same families. */
export interface RawOptions {
  readonly groups: readonly RawGroup[];
  /** All families of the targets. What they write is left out. */
  readonly families: readonly Family[];
  /** All tags of a line. */
  readonly tags: readonly string[];
  /** The types of the fields, of all encoders of the agent. */
  readonly types: RawTypes;
}

/** A tag without a value is left out. */
export type PartTags = Readonly<Partial<Record<PartTag, string | undefined>>>;
