import { globSync } from "node:fs";
import path from "node:path";
import { parseAllDocuments } from "yaml";
import { CHART, render } from "../../scripts/helm.ts";

/** The fields of a chart's object that tests use. */
export interface ChartObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: unknown;
  readonly rules?: readonly Readonly<Record<string, readonly string[]>>[];
  readonly data?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

/** Name -> file of values, one for each supported kind of installation. */
export const VALUES_FILES: ReadonlyMap<string, string> = new Map(
  globSync(`${CHART}/ci/*-values.yaml`).map((file) => [path.basename(file, "-values.yaml"), file]),
);

export function chartObjects(...args: string[]): readonly ChartObject[] {
  return objectsIn(render(...args));
}

export function objectsIn(yaml: string): readonly ChartObject[] {
  const documents = parseAllDocuments(yaml);
  // An empty stream is not a list of documents.
  if (!Array.isArray(documents)) return [];
  return documents.flatMap((one) => {
    // Such as a key that is there twice, which the parser would read as its last value.
    if (one.errors[0] !== undefined) throw one.errors[0];
    return (one.toJS() as ChartObject | null) ?? [];
  });
}

/** Returns the only object of a kind; throws unless there is exactly one. */
export function only(objects: readonly ChartObject[], kind: string): ChartObject {
  const [found, ...more] = objects.filter((object) => object.kind === kind);
  if (found === undefined || more.length > 0) throw new Error(`there are ${found ? more.length + 1 : 0} of ${kind}`);
  return found;
}

interface Container {
  readonly name: string;
  readonly image: string;
  readonly args: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
  readonly securityContext: unknown;
  readonly volumeMounts?: readonly { readonly name: string; readonly [field: string]: unknown }[];
  readonly [field: string]: unknown;
}

export interface PodSpec {
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly securityContext: unknown;
  readonly volumes?: readonly { readonly name: string; readonly [field: string]: unknown }[];
  readonly [field: string]: unknown;
}

/** Returns the pod spec of a DaemonSet, Deployment, Job or Pod. */
export function podSpecOf({ kind, spec }: ChartObject): PodSpec {
  return kind === "Pod" ? (spec as PodSpec) : (spec as { template: { spec: PodSpec } }).template.spec;
}

export function podsOf(objects: readonly ChartObject[]): readonly ChartObject[] {
  return objects.filter(({ kind }) => ["DaemonSet", "Deployment", "Job", "Pod"].includes(kind));
}
