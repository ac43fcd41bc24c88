import { celEnv, parse, plan, type CelInput } from "@bufbuild/cel";
import { strings } from "@bufbuild/cel/ext";
import { check, formatPath, type Path, type Schema } from "../../src/config/check.ts";
import { SPEC_RULES, TARGET_RULES, type Rule } from "../../src/config/rules.ts";
import { SPEC_SCHEMA, type TelemetrySpec } from "../../src/config/schema.ts";

/** What both twins of a rule say of one object. */
export interface Verdict {
  /** `spec.targets[0].url`, where the server reports it. */
  readonly path: string;
  readonly message: string;
  readonly celHolds: boolean;
  readonly twinHolds: boolean;
}

/** Every rule on a spec as a user gives it, and on each of its targets. */
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

/** A number of JSON is a double to the evaluator; in the objects all of them are integers. */
function celValue(value: unknown): CelInput {
  if (typeof value === "number") return BigInt(value);
  if (Array.isArray(value)) return value.map(celValue);
  if (typeof value === "object" && value !== null)
    return new Map(Object.entries(value).map(([key, item]) => [key, celValue(item)]));
  return value as CelInput;
}
