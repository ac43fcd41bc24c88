/** A query, independent of a language. Averages are over the points of a bucket of time. */
export interface Query {
  readonly measurement: "vm_metrics" | "vm_features" | "vm_devices" | "vm_totals";
  /** Arithmetic over fields: `{memrss}` is a field's average, `{cputime/s}` is a counter's growth per second. */
  readonly value: string;
  /** Tags; each set of their values is a series. */
  readonly by: readonly string[];
  /** Name of a series; `{name}` is the value of a tag. */
  readonly legend: string;
  /** Return the sum over VMs, or their number, instead of the value of each. */
  readonly over?: "sum" | "count";
  /** Use the last value of a bucket instead of the average, for values without an average. */
  readonly last?: true;
  readonly devtype?: "nic" | "disk";
}

/** A tag, and the dashboard's variable that selects its values. */
export interface Filter {
  readonly tag: string;
  readonly variable: string;
  /** Whether the variable may have several values, all, or none if lines lack the tag. */
  readonly several?: true;
}

export interface Field {
  readonly name: string;
  readonly isRate: boolean;
}

/** A query language of InfluxDB in Grafana. */
export interface Language {
  readonly id: "influxql" | "flux" | "sql";
  readonly title: string;
  /** Variables that this language needs besides the data source. */
  readonly variables: readonly object[];
  /** Returns the query of a panel over time. */
  series(query: Query, filters: readonly Filter[]): object;
  /** Returns the query of a table of the VMs with the highest averages over the whole time; columns namespace, name, value. */
  top(query: Query, filters: readonly Filter[]): object;
  /** Returns the query of a variable: the values of a tag. */
  tagValues(tag: string, filters: readonly Filter[]): string;
}

/** The tags that identify a VM on every node. */
export const VM_TAGS = ["namespace", "name", "uuid"] as const;
/** Measurement -> the tags that identify a series. A counter continues only within one series. */
const DEVICE_TAGS = ["devtype", "device"] as const;

const FIELD = /\{(\w+)(\/s)?\}/g;

export function fieldsOf({ value }: Query): readonly Field[] {
  const found = new Map(
    [...value.matchAll(FIELD)].map(([token, name = "", rate]) => [token, { name, isRate: rate !== undefined }]),
  );
  return [...found.values()];
}

/** Returns the arithmetic with every field in the form of a language. */
export function expression({ value }: Query, write: (field: Field) => string): string {
  return value.replace(FIELD, (_, name: string, rate?: string) => write({ name, isRate: rate !== undefined }));
}

/** Returns the name of a field or of its rate. */
export function columnOf({ name, isRate }: Field): string {
  return isRate ? `${name}_per_s` : name;
}

export function seriesTags({ measurement }: Query): readonly string[] {
  return ["VMID", ...VM_TAGS, "node", ...(measurement === "vm_devices" ? DEVICE_TAGS : [])];
}

/** Returns the tags by which values are averaged before they are summed up. */
export function innerTags({ by, over }: Query): readonly string[] {
  return over === undefined ? by : [...new Set([...VM_TAGS, ...by])];
}

/** Replaces `{name}` with a language's reference to a tag in legends. */
export function legendOf({ legend }: Query, write: (tag: string) => string): string {
  return legend.replace(/\{(\w+)\}/g, (_, tag: string) => write(tag));
}

/** Returns a variable of Grafana in a query, in one of its formats. */
export function variable(name: string, format?: "regex" | "singlequote" | "sqlstring"): string {
  return `\${${name}${format === undefined ? "" : `:${format}`}}`;
}

/** Returns the measurement's name in the database, with `spec.measurementPrefix`. */
export function measurementName({ measurement }: Pick<Query, "measurement">): string {
  return variable("prefix") + measurement;
}

/** Number of rows of a table of the highest values. */
export const TOP = variable("top");
