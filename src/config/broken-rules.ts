import type { Finding, Path } from "./check.ts";
import { SPEC_RULES, TARGET_RULES, type Rule } from "./rules.ts";
import type { TargetSpec, TelemetrySpec } from "./schema.ts";

/** What the rules over more than one field find in a spec that `check` has been over, well-formed or not. */
export function brokenRules(spec: unknown): Finding[] {
  if (!isObject(spec)) return [];
  const { targets } = spec as { targets?: unknown };
  return [
    ...(Array.isArray(targets) ? (targets as TargetSpec[]) : []).flatMap((target, index) =>
      isObject(target) ? broken(TARGET_RULES, target, ["spec", "targets", index]) : [],
    ),
    ...broken(SPEC_RULES, spec as TelemetrySpec, ["spec"]),
  ];
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function broken<Subject>(rules: readonly Rule<Subject>[], subject: Subject, at: Path): Finding[] {
  return rules.flatMap(({ path, message, holds, bySchema = false }) => {
    try {
      return bySchema || holds(subject) ? [] : [{ path: [...at, ...path], message }];
    } catch {
      // What the rule looks at has the wrong type, which is a finding of its own.
      return [];
    }
  });
}
