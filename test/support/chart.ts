import { globSync } from "node:fs";
import path from "node:path";
import { parseAllDocuments } from "yaml";
import { CHART, render } from "../../scripts/helm.ts";

/** As much of an object of the chart as tests look at. */
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

/** Files of values by their names, one for each way to install that has to work. */
export const VALUES_FILES: ReadonlyMap<string, string> = new Map(
  globSync(`${CHART}/ci/*-values.yaml`).map((file) => [path.basename(file, "-values.yaml"), file]),
);

export function chartObjects(...args: string[]): readonly ChartObject[] {
  return objectsIn(render(...args));
}

export function objectsIn(yaml: string): readonly ChartObject[] {
  const documents = parseAllDocuments(yaml);
  // An empty stream is not a list of documents.
  return Array.isArray(documents) ? documents.flatMap((one) => (one.toJS() as ChartObject | null) ?? []) : [];
}

/** The only object of a kind; throws when there is none or are more. */
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

/** Of a DaemonSet, Deployment, Job or Pod. */
export function podSpecOf({ kind, spec }: ChartObject): PodSpec {
  return kind === "Pod" ? (spec as PodSpec) : (spec as { template: { spec: PodSpec } }).template.spec;
}

export function podsOf(objects: readonly ChartObject[]): readonly ChartObject[] {
  return objects.filter(({ kind }) => ["DaemonSet", "Deployment", "Job", "Pod"].includes(kind));
}
