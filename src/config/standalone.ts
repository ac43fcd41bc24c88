import type { Path } from "./check.ts";

/** Fields that mean nothing without Kubernetes. Given in a file they are refused rather than silently without effect. */
export const CLUSTER_ONLY: readonly Path[] = [
  ["nodeSelector"],
  ["namespaces"],
  ["vmSelector"],
  ["tags", "vmLabels"],
  ["tags", "vmAnnotations"],
  ["targets", "*", "vmSelector"],
  ["targets", "*", "namespaces"],
];

/** Where the spec of a file gives a field that needs a cluster. Empty objects and lists say nothing and pass. */
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
