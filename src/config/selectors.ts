import { ownValue } from "../lib/own-value.ts";
import type { LabelSelector, NamespaceFilter } from "./schema.ts";

export type Labels = Readonly<Record<string, string>>;

/** A filter of VMIs. An empty field matches all VMIs. */
export interface VmFilter {
  readonly namespaces: NamespaceFilter;
  readonly vmSelector: LabelSelector;
}

/** Returns whether labels match a selector, as Kubernetes defines it: NotIn and DoesNotExist match where the key is missing. */
export function matchesLabels({ matchLabels = {}, matchExpressions = [] }: LabelSelector, labels: Labels): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => ownValue(labels, key) === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = ownValue(labels, key);
      const listed = value !== undefined && values.includes(value);
      switch (operator) {
        case "In":
          return listed;
        case "NotIn":
          return !listed;
        case "Exists":
          return value !== undefined;
        case "DoesNotExist":
          return value === undefined;
      }
    })
  );
}

/** Returns whether a namespace is included and not excluded. A missing or empty list includes all and excludes none. */
export function matchesNamespace({ include = [], exclude = [] }: NamespaceFilter, namespace: string): boolean {
  const isIn = (patterns: readonly string[]): boolean => patterns.some((pattern) => matchesPattern(pattern, namespace));
  return (include.length === 0 || isIn(include)) && !isIn(exclude);
}

/** Returns whether a filter matches a VMI. */
export function matchesVm({ namespaces, vmSelector }: VmFilter, namespace: string, labels: Labels): boolean {
  return matchesNamespace(namespaces, namespace) && matchesLabels(vmSelector, labels);
}

function matchesPattern(pattern: string, name: string): boolean {
  return pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
