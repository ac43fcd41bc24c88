import type { Source } from "./panel.ts";

/** Measurement -> the tags besides VM_TAGS, `VMID` and `node` that identify a series of it. */
const PART_TAGS = {
  vm_metrics: [],
  vm_features: [],
  vm_devices: ["devtype", "device"],
  vm_totals: [],
  vm_disks: ["device"],
  vm_memory: [],
  vm_status: [],
  vm_vcpus: ["vcpu"],
  vm_events: ["event"],
  vm_node: [],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** A query, independent of a language. Averages are over the points of a bucket of time. */
export interface Query {
  readonly measurement: keyof typeof PART_TAGS;
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
  /** Of a text: return only the VMs with one of these words. */
  readonly words?: readonly string[];
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

/** Which lines of `vm_events` an annotation shows. */
export type EventKind = "events" | "migrations";

/** A query language of a data source in Grafana. */
export interface Language {
  readonly id: "influxql" | "flux" | "sql" | "promql";
  readonly title: string;
  /** Type of the data source. */
  readonly source: Source["type"];
  /** The database that has this language. */
  readonly database: string;
  /** Variables that this language needs besides the data source. */
  readonly variables: readonly object[];
  /** Names of those of them that links to other dashboards set. */
  readonly linked?: readonly string[];
  /** Whether a query sets the names of its series. */
  readonly namesSeries?: true;
  /** Grafana's value mappings, if the database has numbers instead of texts. */
  readonly texts?: readonly object[];
  /** Settings of annotations outside of their query. */
  readonly annotation?: object;
  /** Returns the query of a panel over time. */
  series(query: Query, filters: readonly Filter[]): object;
  /** Returns the query of a table of the highest averages over the whole time; columns namespace, name, other tags of `by`, value. */
  top(query: Query, filters: readonly Filter[]): object;
  /** Returns the query of the last text of each VM in the time shown; columns namespace, name, value. */
  text(query: Query, filters: readonly Filter[]): object;
  /** Returns the query of annotations: the migrations, or all other events, with their text and the VM. */
  events(kind: EventKind, filters: readonly Filter[]): object;
  /** Returns the query of a variable: the values of a tag. */
  tagValues(tag: string, filters: readonly Filter[]): string;
}

/** The tags that identify a VM on every node. */
export const VM_TAGS = ["namespace", "name", "uuid"] as const;
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

/** Returns the tags that identify a series. A counter continues only within one series. */
export function seriesTags({ measurement }: Query): readonly string[] {
  return measurement === "vm_node" ? ["node"] : ["VMID", ...VM_TAGS, "node", ...PART_TAGS[measurement]];
}

/** Returns the filters by tags that the lines have: those of a node are of no VM. */
export function filtersOf({ measurement }: Query, filters: readonly Filter[]): readonly Filter[] {
  return measurement === "vm_node" ? filters.filter(({ tag }) => tag === "node") : filters;
}

/** Returns the tags that a row of a table shows: a VM's uuid only separates VMs of one name. */
export function rowTags({ by }: Query): readonly string[] {
  return by.filter((tag) => tag !== "uuid");
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
