import { check, formatPath, type Finding, type Path } from "./check.ts";
import type { Schema } from "./json-schema.ts";
import { brokenRules } from "./rules.ts";
import { OBJECT_SCHEMA, type TelemetryConfig } from "./schema.ts";
import { readYaml } from "./yaml-source.ts";

export interface Fault {
  /** 1-based. */
  readonly line: number;
  /** `spec.targets[0].url`; empty for the whole file. */
  readonly path: string;
  readonly message: string;
}

export type ParseResult =
  | { readonly config: TelemetryConfig; readonly faults?: undefined }
  | { readonly config?: undefined; readonly faults: readonly Fault[] };

/** Fields that have no meaning without Kubernetes. In a file they are rejected, so that they are not silently ignored. */
export const CLUSTER_ONLY: readonly Path[] = [
  ["nodeSelector"],
  ["namespaces"],
  ["vmSelector"],
  ["tags", "vmLabels"],
  ["tags", "vmAnnotations"],
  ["targets", "*", "vmSelector"],
  ["targets", "*", "namespaces"],
];

const MAX_CHARACTERS = 1024 * 1024;

export interface ParseOptions {
  /** The file is for a cluster: fields that need a cluster are allowed. */
  readonly cluster?: boolean;
}

/** Returns the TelemetryConfig in a text, or all its faults. Without `cluster` it is for standalone use. Never throws. */
export function parseConfig(text: string, { cluster = false }: ParseOptions = {}): ParseResult {
  if (text.length > MAX_CHARACTERS) {
    return { faults: [{ line: 1, path: "", message: `has ${text.length} characters, more than ${MAX_CHARACTERS}` }] };
  }
  const source = readYaml(text);
  if ("length" in source) return { faults: source.map((problem) => ({ ...problem, path: "" })) };
  const { value, repeated, lineOf } = source;
  const findings: Finding[] = repeated.map((path) => ({ path, message: "is given twice" }));
  const checked = check(OBJECT_SCHEMA as unknown as Schema, value, [], (finding) =>
    findings.push(finding),
  ) as TelemetryConfig | null;
  for (const path of cluster ? [] : clusterOnlyFields((value as { spec?: unknown } | null)?.spec))
    findings.push({ path: ["spec", ...path], message: "needs a cluster; remove it from a standalone configuration" });
  findings.push(...brokenRules(checked?.spec));
  if (checked !== null && findings.length === 0) return { config: checked };
  const faults = findings.map(({ path, message }) => ({ line: lineOf(path), path: formatPath(path), message }));
  return { faults: faults.sort((a, b) => a.line - b.line) };
}

/** Returns the paths of fields in a spec that need a cluster. Empty objects and lists are allowed. */
export function clusterOnlyFields(spec: unknown): Path[] {
  return CLUSTER_ONLY.flatMap((path) => given(spec, path, []));
}

function given(value: unknown, [first, ...rest]: Path, at: Path): Path[] {
  if (first === undefined) return isEmpty(value) ? [] : [at];
  if (typeof value !== "object" || value === null) return [];
  if (first === "*")
    return Array.isArray(value) ? value.flatMap((item, index) => given(item, rest, [...at, index])) : [];
  return Object.hasOwn(value, first)
    ? given((value as Record<string | number, unknown>)[first], rest, [...at, first])
    : [];
}

function isEmpty(value: unknown): boolean {
  return value === null || (typeof value === "object" && Object.keys(value).length === 0);
}
