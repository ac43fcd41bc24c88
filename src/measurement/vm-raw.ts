import type { DomainIdentity } from "../collection/domain-sample.ts";
import { RAW, rawField, type RawParameters, type RawValue } from "../collection/libvirt/raw-parameters.ts";
import { reading } from "../collection/stats-needs.ts";
import { RAW_GROUPS, type FieldType, type RawGroup } from "../contract.ts";
import { claimedParameters } from "./claimed-parameters.ts";
import type { Measurement, PartTags, RawOptions, SampleLines } from "./measurement.ts";

/** Parameters of one VM in a cycle. */
const MAX_PARAMETERS = 4_096;
const MAX_FIELDS = 512;
/** Names of parameters that are kept with their places. With more, the next sample finds all again. */
const MAX_PLACES = 16_384;
/** `block.0.rd.times` is the parameter `rd.times` of the disk 0. */
const NAME = /^([a-z]+)\.(?:(\d{1,5})\.)?(.+)$/;

/** A line, of all VMs. */
interface Line {
  readonly part: PartTags;
  readonly fields: Map<string, Field>;
  /** Those of the sample that is being written. */
  readonly values: (readonly [key: string, type: FieldType, value: RawValue])[];
}

interface Field {
  readonly key: string;
  /** The number of the last sample with a value for it. Two names can become one field, of which the first has it. */
  sample: number;
}

/** Where a parameter is written. */
interface Place {
  readonly line: Line;
  readonly field: Field;
}

/** What libvirt says beyond the other families. Its fields are named by libvirt, with `_` for other characters. */
export const vmRaw: Measurement = {
  name: "vm_raw",
  family: "Raw",
  needs: [RAW],
  configured(options) {
    const lines = new RawLines(options);
    return {
      ...vmRaw,
      write(sample, writer) {
        const params = reading(sample, RAW);
        if (params !== undefined) lines.write(params, ownerOf(sample.identity), writer);
      },
    };
  },
  write: () => undefined,
};

/** Returns what a launcher cannot choose: in a cluster the name, which is its VMI's. */
function ownerOf({ namespace, name, uuid }: DomainIdentity): string {
  return namespace === undefined ? uuid : `${namespace}/${name}`;
}

/** Writes parameters as lines: one for each group, and one for each numbered part of it. */
class RawLines {
  readonly #options: RawOptions;
  readonly #groups: ReadonlyMap<string, RawGroup>;
  readonly #claimed: ReadonlySet<string>;
  /** InfluxDB has a time of its own. */
  readonly #taken: ReadonlySet<string>;
  /** Parameter -> its place; "omitted" if it has none, and undefined if it does not belong to `vm_raw`. */
  readonly #places = new Map<string, Place | "omitted" | undefined>();
  readonly #lines = new Map<string, Line>();
  /** Number of the sample that is being written. */
  #sample = 0;

  constructor(options: RawOptions) {
    this.#options = options;
    this.#groups = new Map(options.groups.map((group) => [RAW_GROUPS[group], group]));
    this.#claimed = claimedParameters(options.families);
    this.#taken = new Set([...options.tags, "time"]);
  }

  write(params: RawParameters, vm: string, writer: SampleLines): void {
    this.#sample++;
    if (this.#places.size > MAX_PLACES) {
      this.#places.clear();
      this.#lines.clear();
    }
    const open = new Set<Line>();
    let count = 0;
    for (const [name, value] of params) {
      const place = this.#placeOf(name);
      if (place === undefined) continue;
      if (place === "omitted" || ++count > MAX_PARAMETERS || !this.#take(place, rawField(value), vm))
        writer.omitParameter();
      else open.add(place.line);
    }
    try {
      for (const { part, values } of open) {
        writer.begin(part);
        for (const [key, type, value] of values) writeField(writer, key, type, value);
        writer.end();
      }
    } finally {
      // The next sample can be of another VM.
      for (const { values } of open) values.length = 0;
    }
  }

  /** Returns whether the value fits into its line, with the type that the field has. */
  #take({ line: { values }, field }: Place, [type, value]: ReturnType<typeof rawField>, vm: string): boolean {
    if (field.sample === this.#sample || values.length === MAX_FIELDS) return false;
    if (!this.#options.types.admits(field.key, type, vm)) return false;
    field.sample = this.#sample;
    values.push([field.key, type, value]);
    return true;
  }

  #placeOf(name: string): Place | "omitted" | undefined {
    const known = this.#places.get(name);
    if (known !== undefined || this.#places.has(name)) return known;
    const place = this.#findPlace(name);
    this.#places.set(name, place);
    return place;
  }

  #findPlace(name: string): Place | "omitted" | undefined {
    const [, prefix = "", index, rest = ""] = NAME.exec(name) ?? [];
    const group = this.#groups.get(prefix);
    if (group === undefined) return undefined;
    const pattern = index === undefined ? name : `${prefix}.N.${rest}`;
    if (this.#claimed.has(pattern)) return undefined;
    // InfluxDB reserves names that begin with an underscore.
    let key = rest.replace(/[^A-Za-z0-9_]/g, "_").replace(/^_+/, "");
    if (key === "") return "omitted";
    // InfluxDB 3 rejects a line whose tag has the name of a field of its table.
    while (this.#taken.has(key)) key += "_";
    const line = this.#lineOf(group, index);
    const field = line.fields.get(key) ?? { key, sample: 0 };
    line.fields.set(key, field);
    return { line, field };
  }

  #lineOf(group: RawGroup, index: string | undefined): Line {
    const key = `${group} ${index ?? ""}`;
    const known = this.#lines.get(key);
    if (known !== undefined) return known;
    const line = { part: { group, index }, fields: new Map<string, Field>(), values: [] };
    this.#lines.set(key, line);
    return line;
  }
}

function writeField(writer: SampleLines, key: string, type: FieldType, value: RawValue): void {
  if (typeof value === "string") writer.text(key, value);
  else if (typeof value === "boolean") writer.boolean(key, value);
  else if (type === "float") writer.float(key, Number(value));
  else writer.knownInteger(key, value);
}
