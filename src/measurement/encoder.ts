import type { DomainIdentity, DomainSample } from "../collection/domain-sample.ts";
import { SERIES_TAGS, type Family, type PartTag, type VmTag } from "../contract.ts";
import { LineWriter, type LineCounters } from "./line-protocol.ts";
import type { Measurement, PartTags, SampleLines } from "./measurement.ts";
import { MEASUREMENTS } from "./registry.ts";
import { escapeMeasurement, tag } from "./tags.ts";

export interface EncoderOptions {
  readonly families: readonly Family[];
  /** A value that libvirt did not report is written as 0 or left out. */
  readonly onMissing: "Zero" | "Omit";
  /** Put before every measurement name. */
  readonly measurementPrefix: string;
  readonly node?: string | undefined;
  readonly staticTags: Readonly<Record<string, string>>;
}

/** Called for every missing value with its field, such as `vm_totals.memusable`, and the domain. */
export type MissingListener = (field: string, domain: DomainIdentity) => void;

/** The escaped tags of a domain. Tags of a part of the VM are written before and after `place`. */
interface SeriesTags {
  readonly head: string;
  readonly place: string;
  readonly rest: string;
}

/** Encodes samples as line protocol. One encoder serves all targets with the same families and tags. */
export class Encoder implements SampleLines {
  readonly #options: EncoderOptions;
  readonly #counters: LineCounters;
  readonly #onMissing: MissingListener;
  readonly #writer: LineWriter;
  readonly #measurements: readonly (Measurement & { readonly escaped: string })[];
  // A domain keeps its identity object in all cycles, so its tags are escaped once.
  readonly #tags = new WeakMap<DomainIdentity, SeriesTags>();
  #sample: DomainSample | undefined;
  #current = { name: "", escaped: "" };

  constructor(options: EncoderOptions, counters: LineCounters, onMissing: MissingListener) {
    this.#options = options;
    this.#counters = counters;
    this.#onMissing = onMissing;
    this.#writer = new LineWriter(counters);
    this.#measurements = MEASUREMENTS.filter(({ family }) => options.families.includes(family)).map((measurement) => ({
      ...measurement,
      escaped: escapeMeasurement(options.measurementPrefix + measurement.name),
    }));
  }

  /** Writes all lines of one sample. If it throws, it has written none. */
  encode(sample: DomainSample): void {
    const start = this.#writer.position;
    this.#sample = sample;
    try {
      for (const measurement of this.#measurements) {
        this.#current = measurement;
        measurement.write(sample, this);
      }
    } catch (error) {
      this.#writer.rewind(start);
      throw error;
    } finally {
      this.#sample = undefined;
    }
  }

  /** Returns the lines since the last call. */
  take(): { readonly lines: number; readonly bytes: Uint8Array } {
    return this.#writer.take();
  }

  begin(part?: PartTags): void {
    const { head, place, rest } = this.#tagsOf(this.#currentSample().identity);
    let series = this.#current.escaped + head;
    if (part === undefined) series += place;
    else series += this.#partTags(SERIES_TAGS.part, part) + place + this.#partTags(SERIES_TAGS.origin, part);
    this.#writer.begin(series + rest);
  }

  integer(key: string, value: bigint | number | undefined): void {
    if (value !== undefined) {
      this.#writer.integer(key, value);
      return;
    }
    this.#onMissing(`${this.#current.name}.${key}`, this.#currentSample().identity);
    if (this.#options.onMissing === "Zero") this.#writer.integer(key, 0);
  }

  float(key: string, value: number): void {
    this.#writer.float(key, value);
  }

  string(key: string, value: string): void {
    this.#writer.string(key, value);
  }

  end(): void {
    this.#writer.end(this.#currentSample().timestampMs);
  }

  #partTags(keys: readonly PartTag[], part: PartTags): string {
    let tags = "";
    for (const key of keys) {
      const value = part[key];
      if (value !== undefined) tags += tag(key, value, this.#counters);
    }
    return tags;
  }

  #currentSample(): DomainSample {
    if (this.#sample === undefined) throw new Error("a measurement writes only during encode()");
    return this.#sample;
  }

  #tagsOf(identity: DomainIdentity): SeriesTags {
    const known = this.#tags.get(identity);
    if (known !== undefined) return known;
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
    const tags = {
      head: writeAll(SERIES_TAGS.vm),
      place: writeAll(SERIES_TAGS.place),
      rest: [...(identity.tags ?? []), ...Object.entries(this.#options.staticTags)]
        .map(([key, value]) => write(key, value))
        .join(""),
    };
    this.#tags.set(identity, tags);
    return tags;
  }
}
