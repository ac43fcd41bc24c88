import { hostname } from "node:os";
import type { DomainIdentity, DomainSample } from "../collection/domain-sample.ts";
import type { NodeSample } from "../collection/node-sample.ts";
import type { VmReport } from "../collection/vm-report.ts";
import { SERIES_TAGS, type Family, type PartTag, type VmTag } from "../contract.ts";
import { LineWriter, type LineCounters } from "./line-protocol.ts";
import type {
  Measurement,
  NodeMeasurement,
  PartTags,
  RawOptions,
  ReportMeasurement,
  SampleLines,
} from "./measurement.ts";
import { MEASUREMENTS, NODE_MEASUREMENTS, REPORT_MEASUREMENTS } from "./registry.ts";
import { isSeriesOf, type LineQuota, type Series } from "./series.ts";
import { escapeMeasurement, storableText, tag } from "./tags.ts";

export interface EncoderOptions {
  readonly families: readonly Family[];
  /** A value that libvirt did not report is written as 0 or left out. */
  readonly onMissing: "Zero" | "Omit";
  /** Put before every measurement name. */
  readonly measurementPrefix: string;
  readonly node?: string | undefined;
  readonly staticTags: Readonly<Record<string, string>>;
  /** For the family Raw. */
  readonly raw?: RawOptions;
}

/** Called for every missing value with its field, such as `vm_totals.memusable`, and the domain. */
export type MissingListener = (field: string, domain: DomainIdentity) => void;

/** The escaped tags of a domain. Tags of a part of the VM are written before and after `place`. */
interface SeriesTags {
  readonly head: string;
  readonly place: string;
  readonly rest: string;
}

/** What an encoder keeps about a VM between two samples. */
interface KnownVm {
  readonly tags: SeriesTags;
  /** By the number of the measurement. */
  readonly series: Series[][];
}

/** The sample or report that is being encoded. */
interface Encoding {
  readonly sample: Pick<DomainSample, "timestampMs" | "identity">;
  readonly tags: SeriesTags;
  /** The series of the last lines of the current measurement, in their order. */
  series: Series[];
  /** Undefined if the endpoint has no budget. */
  readonly quota: LineQuota | undefined;
  /** Number of lines of the current measurement so far, with those that are left out. */
  begun: number;
  /** Whether the line that is being written is not left out. */
  admitted: boolean;
}

const NO_SERIES: Series[] = [];

/** Encodes samples as line protocol. One encoder serves all targets with the same families and tags. */
export class Encoder implements SampleLines {
  readonly #options: EncoderOptions;
  readonly #counters: LineCounters;
  readonly #onMissing: MissingListener;
  readonly #writer: LineWriter;
  readonly #measurements: readonly (Measurement & { readonly escaped: string })[];
  readonly #reportMeasurements: readonly (ReportMeasurement & { readonly escaped: string })[];
  readonly #nodeMeasurements: readonly (NodeMeasurement & { readonly series: string })[];
  // A domain keeps its identity object in all cycles, so its tags are escaped once, and those of its parts until they change.
  readonly #known = new WeakMap<DomainIdentity, KnownVm>();
  #encoding: Encoding | undefined;
  #current = { name: "", escaped: "" };

  constructor(options: EncoderOptions, counters: LineCounters, onMissing: MissingListener) {
    this.#options = options;
    this.#counters = counters;
    this.#onMissing = onMissing;
    this.#writer = new LineWriter(counters);
    const wanted = <One extends { readonly name: string; readonly family: Family }>(all: readonly One[]) =>
      all
        .filter(({ family }) => options.families.includes(family))
        .map((one) => ({ ...one, escaped: escapeMeasurement(options.measurementPrefix + one.name) }));
    this.#measurements = wanted(MEASUREMENTS).map((measurement) => ({
      ...((options.raw && measurement.configured?.(options.raw)) ?? measurement),
      escaped: measurement.escaped,
    }));
    this.#reportMeasurements = wanted(REPORT_MEASUREMENTS);
    this.#nodeMeasurements = wanted(NODE_MEASUREMENTS).map((measurement) => ({
      ...measurement,
      series: measurement.escaped + this.#nodeTags(),
    }));
  }

  /**
   * Writes the lines of one sample that `quota` admits, which are all lines without a quota. `due` are the families that
   * the cycle has collected, all without it. If it throws, it has written none.
   */
  encode(sample: DomainSample, quota?: LineQuota, due?: ReadonlySet<Family>): void {
    const start = this.#writer.position;
    const { tags, series } = this.#knownOf(sample.identity);
    const encoding: Encoding = { sample, tags, series: NO_SERIES, quota, begun: 0, admitted: true };
    this.#encoding = encoding;
    try {
      let index = 0;
      for (const measurement of this.#measurements) {
        const known = (series[index++] ??= []);
        if (due !== undefined && !due.has(measurement.family) && measurement.isDue?.(sample) !== true) continue;
        this.#current = measurement;
        encoding.series = known;
        encoding.begun = 0;
        measurement.write(sample, this);
        known.length = encoding.begun;
      }
    } catch (error) {
      this.#writer.rewind(start);
      throw error;
    } finally {
      this.#encoding = undefined;
    }
    quota?.addBytes(this.#writer.position.bytes - start.bytes);
  }

  /** Writes the line of an event or a job, if its family is one of the encoder's and `quota` admits it. */
  encodeReport(report: VmReport, quota?: LineQuota): void {
    const start = this.#writer.position;
    const { tags } = this.#knownOf(report.identity);
    try {
      for (const measurement of this.#reportMeasurements) {
        this.#current = measurement;
        this.#encoding = { sample: report, tags, series: [], quota, begun: 0, admitted: true };
        measurement.write(report, this);
      }
    } finally {
      this.#encoding = undefined;
    }
    quota?.addBytes(this.#writer.position.bytes - start.bytes);
  }

  /** Writes the lines of the node whose families are due. */
  encodeNode(sample: NodeSample, due: ReadonlySet<Family>): void {
    for (const measurement of this.#nodeMeasurements) {
      if (!due.has(measurement.family)) continue;
      this.#writer.begin(measurement.series);
      measurement.write(sample, this);
      this.#writer.end(sample.timestampMs);
    }
  }

  /** Returns the lines since the last call. */
  take(): { readonly lines: number; readonly bytes: Uint8Array } {
    return this.#writer.take();
  }

  begin(part?: PartTags): void {
    const encoding = this.#currentEncoding();
    const { series, quota } = encoding;
    const index = encoding.begun++;
    let line = series[index];
    if (line === undefined || !isSeriesOf(line, this.#current, part))
      series[index] = line = {
        measurement: this.#current,
        part,
        text: this.#seriesText(encoding.tags, part),
        countedIn: undefined,
      };
    encoding.admitted = quota === undefined || quota.admits(line);
    this.#writer.begin(line.text);
  }

  integer(key: string, value: bigint | number | undefined): void {
    if (value !== undefined) {
      this.#writer.integer(key, value);
      return;
    }
    this.#onMissing(`${this.#current.name}.${key}`, this.#currentEncoding().sample.identity);
    if (this.#options.onMissing === "Zero") this.#writer.integer(key, 0);
  }

  knownInteger(key: string, value: bigint | number | undefined): void {
    if (value !== undefined) this.#writer.integer(key, value);
  }

  float(key: string, value: number | undefined): void {
    if (value !== undefined) this.#writer.float(key, value);
  }

  string(key: string, value: string): void {
    this.#writer.string(key, value);
  }

  text(key: string, value: string | undefined): void {
    const text = value === undefined ? "" : storableText(value, this.#counters);
    if (text !== "") this.#writer.string(key, text);
  }

  omitParameter(): void {
    this.#counters.omittedParameters++;
  }

  boolean(key: string, value: boolean): void {
    this.#writer.boolean(key, value);
  }

  end(): void {
    const { sample, admitted } = this.#currentEncoding();
    if (admitted) this.#writer.end(sample.timestampMs);
  }

  #seriesText({ head, place, rest }: SeriesTags, part: PartTags | undefined): string {
    const series = this.#current.escaped + head;
    if (part === undefined) return series + place + rest;
    return series + this.#partTags(SERIES_TAGS.part, part) + place + this.#partTags(SERIES_TAGS.origin, part) + rest;
  }

  #partTags(keys: readonly PartTag[], part: PartTags): string {
    let tags = "";
    for (const key of keys) {
      const value = part[key];
      if (value !== undefined) tags += tag(key, value, this.#counters);
    }
    return tags;
  }

  #currentEncoding(): Encoding {
    if (this.#encoding === undefined) throw new Error("a measurement writes only during encode()");
    return this.#encoding;
  }

  #knownOf(identity: DomainIdentity): KnownVm {
    let known = this.#known.get(identity);
    if (known === undefined) {
      known = { tags: this.#tagsOf(identity), series: [] };
      this.#known.set(identity, known);
    }
    return known;
  }

  #nodeTags(): string {
    const { node, staticTags } = this.#options;
    // Without a tag the agents of two hosts would write the same series.
    const tags = [["node", node ?? hostname()] as const, ...Object.entries(staticTags)];
    return tags.map(([key, value]) => tag(key, value, this.#counters)).join("");
  }

  #tagsOf(identity: DomainIdentity): SeriesTags {
    const { id, name, uuid, namespace } = identity;
    const values: Readonly<Record<VmTag, string | undefined>> = {
      VMID: String(id),
      name,
      uuid,
      namespace,
      node: this.#options.node,
    };
    const write = (key: string, value: string | undefined): string => tag(key, value, this.#counters);
    const writeAll = (keys: readonly VmTag[]): string => keys.map((key) => write(key, values[key])).join("");
    return {
      head: writeAll(SERIES_TAGS.vm),
      place: writeAll(SERIES_TAGS.place),
      rest: [...(identity.tags ?? []), ...Object.entries(this.#options.staticTags)]
        .map(([key, value]) => write(key, value))
        .join(""),
    };
  }
}
