import { celEnv, parse, plan, type CelInput } from "@bufbuild/cel";
import { strings } from "@bufbuild/cel/ext";
import { check, formatPath, type Path } from "../../src/config/check.ts";
import type { Schema } from "../../src/config/json-schema.ts";
import type { Rule } from "../../src/config/rule.ts";
import { SPEC_RULES, TARGET_RULES } from "../../src/config/rules.ts";
import { SPEC_SCHEMA, type TelemetrySpec } from "../../src/config/schema.ts";

/** The results of both forms of a rule for one object. */
export interface Verdict {
  /** Where the server reports it, such as `spec.targets[0].url`. */
  readonly path: string;
  readonly message: string;
  readonly celHolds: boolean;
  readonly twinHolds: boolean;
}

/** Returns the verdicts of every rule on a spec and on each of its targets. */
export function judge(given: object): Verdict[] {
  const spec = check(SPEC_SCHEMA as unknown as Schema, given, ["spec"], () => undefined) as TelemetrySpec;
  const of = <Subject>(rules: readonly Rule<Subject>[], subject: Subject, at: Path): Verdict[] =>
    rules.map(({ path, message, cel, holds }) => ({
      path: formatPath([...at, ...path]),
      message,
      celHolds: program(cel)({ self: celValue(subject) }) === true,
      twinHolds: holds(subject),
    }));
  return [
    ...of(SPEC_RULES, spec, ["spec"]),
    ...spec.targets.flatMap((target, index) => of(TARGET_RULES, target, ["spec", "targets", index])),
  ];
}

const ENV = celEnv({ funcs: strings });
const programs = new Map<string, ReturnType<typeof plan>>();

function program(cel: string): ReturnType<typeof plan> {
  const known = programs.get(cel) ?? plan(ENV, parse(cel));
  programs.set(cel, known);
  return known;
}

/** Converts numbers to integers: the evaluator reads JSON numbers as doubles, but all of them are integers here. */
function celValue(value: unknown): CelInput {
  if (typeof value === "number") return BigInt(value);
  if (Array.isArray(value)) return value.map(celValue);
  if (typeof value === "object" && value !== null)
    return new Map(Object.entries(value).map(([key, item]) => [key, celValue(item)]));
  return value as CelInput;
}
