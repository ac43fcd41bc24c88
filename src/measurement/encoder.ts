import type { DomainIdentity, DomainSample } from "../collection/domain-sample.ts";
import { SERIES_TAGS, type Family, type PartTag } from "../contract.ts";
import type { LineCounters } from "./counters.ts";
import { LineWriter } from "./line-protocol.ts";
import type { Measurement, PartTags, SampleLines } from "./measurement.ts";
import { MEASUREMENTS } from "./registry.ts";
import { escapeMeasurement, tag } from "./tags.ts";

export interface EncoderOptions {
  readonly families: readonly Family[];
  /** What becomes of a value that libvirt did not report: 0, or no field. */
  readonly onMissing: "Zero" | "Omit";
  /** Put before every measurement name. */
  readonly measurementPrefix: string;
  readonly node?: string | undefined;
  readonly staticTags: Readonly<Record<string, string>>;
}

/** Told of every value that was missing: the field `vm_totals.memusable`, and the domain. */
export type MissingListener = (field: string, domain: DomainIdentity) => void;

/** The tags of a domain, escaped once: those before and those behind the place of the device's own. */
interface SeriesTags {
  readonly head: string;
  readonly place: string;
  readonly rest: string;
}

/** Samples in, line protocol out. One encoder serves all targets that want the same families and tags. */
export class Encoder implements SampleLines {
  readonly #options: EncoderOptions;
  readonly #counters: LineCounters;
  readonly #onMissing: MissingListener;
  readonly #writer: LineWriter;
  readonly #measurements: readonly (Measurement & { readonly escaped: string })[];
  // A domain keeps its identity object from cycle to cycle, so its tags are escaped once in its life.
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

  /** Writes all lines of one sample, or none when it throws. */
  add(sample: DomainSample): void {
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

  /** The lines since the last call. */
  take(): { readonly lines: number; readonly bytes: Uint8Array } {
    return this.#writer.take();
  }

  begin(part?: PartTags): void {
    const { head, place, rest } = this.#tagsOf(this.#active().identity);
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
    this.#onMissing(`${this.#current.name}.${key}`, this.#active().identity);
    if (this.#options.onMissing === "Zero") this.#writer.integer(key, 0);
  }

  float(key: string, value: number): void {
    this.#writer.float(key, value);
  }

  string(key: string, value: string): void {
    this.#writer.string(key, value);
  }

  end(): void {
    this.#writer.end(this.#active().timestampMs);
  }

  #partTags(keys: readonly PartTag[], part: PartTags): string {
    let tags = "";
    for (const key of keys) {
      const value = part[key];
      if (value !== undefined) tags += tag(key, value, this.#counters);
    }
    return tags;
  }

  #active(): DomainSample {
    if (this.#sample === undefined) throw new Error("a measurement wrote outside of add()");
    return this.#sample;
  }

  #tagsOf(identity: DomainIdentity): SeriesTags {
    const known = this.#tags.get(identity);
    if (known !== undefined) return known;
    const write = (key: string, value: string | undefined): string => tag(key, value, this.#counters);
    const tags = {
      head: write("VMID", String(identity.id)) + write("name", identity.name) + write("uuid", identity.uuid),
      place: write("namespace", identity.namespace) + write("node", this.#options.node),
      rest: [...(identity.tags ?? []), ...Object.entries(this.#options.staticTags)]
        .map(([key, value]) => write(key, value))
        .join(""),
    };
    this.#tags.set(identity, tags);
    return tags;
  }
}
