/** What is asked of the data source, in no language yet. Averages are over the points of a bucket of time. */
export interface Query {
  readonly measurement: "vm_metrics" | "vm_features" | "vm_devices" | "vm_totals";
  /** Arithmetic over fields: `{memrss}` is a field's average, `{cputime/s}` how much a counter grows in a second. */
  readonly value: string;
  /** Tags: there is a series for each set of their values. */
  readonly by: readonly string[];
  /** What a series is called; `{name}` is the value of a tag. */
  readonly legend: string;
  /** The sum over VMs of the value of each, or their number, instead of the value itself. */
  readonly over?: "sum" | "count";
  /** The last value of a bucket instead of the average, for what cannot be averaged. */
  readonly last?: true;
  readonly devtype?: "nic" | "disk";
}

/** A tag and the variable of the dashboard that says which of its values are shown. */
export interface Filter {
  readonly tag: string;
  readonly variable: string;
  /** Whether the variable may have several values, all, or none where lines lack the tag. */
  readonly several?: true;
}

export interface Field {
  readonly name: string;
  readonly isRate: boolean;
}

/** A query language of InfluxDB, as Grafana speaks it. */
export interface Language {
  readonly id: "influxql" | "flux" | "sql";
  readonly title: string;
  /** What this language needs chosen besides the data source. */
  readonly variables: readonly object[];
  /** The target of a panel over time. */
  series(query: Query, filters: readonly Filter[]): object;
  /** The target of a table of the VMs with the highest averages over the whole time; columns namespace, name and value. */
  top(query: Query, filters: readonly Filter[]): object;
  /** The query of a variable: the values that a tag has. */
  tagValues(tag: string, filters: readonly Filter[]): string;
}

/** Together unlike those of any other VM, and the same wherever it runs. */
export const VM_TAGS = ["namespace", "name", "uuid"] as const;
/** The tags that make a series, by measurement; counters go on only within one. */
const DEVICE_TAGS = ["devtype", "device"] as const;

const FIELD = /\{(\w+)(\/s)?\}/g;

export function fieldsOf({ value }: Query): readonly Field[] {
  const found = new Map(
    [...value.matchAll(FIELD)].map(([token, name = "", rate]) => [token, { name, isRate: rate !== undefined }]),
  );
  return [...found.values()];
}

/** The arithmetic with every field written as a language does. */
export function expression({ value }: Query, write: (field: Field) => string): string {
  return value.replace(FIELD, (_, name: string, rate?: string) => write({ name, isRate: rate !== undefined }));
}

/** What a field is called once it is a rate or not. */
export function columnOf({ name, isRate }: Field): string {
  return isRate ? `${name}_per_s` : name;
}

export function seriesTags({ measurement }: Query): readonly string[] {
  return ["VMID", ...VM_TAGS, "node", ...(measurement === "vm_devices" ? DEVICE_TAGS : [])];
}

/** The tags that a value is averaged for before it is summed up. */
export function innerTags({ by, over }: Query): readonly string[] {
  return over === undefined ? by : [...new Set([...VM_TAGS, ...by])];
}

/** `{name}` -> as a language's legends refer to a tag. */
export function legendOf({ legend }: Query, write: (tag: string) => string): string {
  return legend.replace(/\{(\w+)\}/g, (_, tag: string) => write(tag));
}

/** A variable of Grafana in a query, in one of its formats. */
export function variable(name: string, format?: "regex" | "singlequote" | "sqlstring"): string {
  return `\${${name}${format === undefined ? "" : `:${format}`}}`;
}

/** The measurement's name in the database, `spec.measurementPrefix` before it. */
export function measurementName({ measurement }: Pick<Query, "measurement">): string {
  return variable("prefix") + measurement;
}

/** How many rows a table of the highest has. */
export const TOP = variable("top");
