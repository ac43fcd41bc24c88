import { fieldHint, meant, typeHint } from "./hints.ts";
import type { Schema } from "./json-schema.ts";
import { PATTERN_HELP, PATTERN_HINT } from "./schema-parts.ts";
import { ownValue } from "../lib/own-value.ts";

export type Path = readonly (string | number)[];

/** A fault: where it is, and how to correct it. */
export interface Finding {
  readonly path: Path;
  readonly message: string;
  /** The schema has no such field: a misspelling in a file, or a field of a newer version in a cluster. */
  readonly unknownField?: boolean;
}

/** Returns a path as `spec.targets[0].url`, always on one line. */
export function formatPath(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    if (!/^[!-~]{1,128}$/.test(part)) return `${text}["${part.slice(0, 128).replace(/[^ -~]+/g, "?")}"]`;
    return text === "" ? part : `${text}.${part}`;
  }, "");
}

/** Returns the value with the schema's defaults filled in. Reports every fault, without the values of strings. */
export function check(schema: Schema, value: unknown, path: Path, report: (finding: Finding) => void): unknown {
  if (!isOfType(schema.type, value)) {
    report({ path, message: wrongType(schema, value, path) });
    return value;
  }
  switch (schema.type) {
    case "object":
      return checkObject(schema, value as Readonly<Record<string, unknown>>, path, report);
    case "array":
      return checkArray(schema, value as readonly unknown[], path, report);
    case "string":
      checkString(schema, value as string, path, report);
      return value;
    case "integer":
      checkRange("", value as number, [schema.minimum, schema.maximum], (message) => {
        report({ path, message });
      });
      return value;
    case "boolean":
      return value;
  }
}

function checkObject(
  schema: Schema,
  value: Readonly<Record<string, unknown>>,
  path: Path,
  report: (finding: Finding) => void,
): Record<string, unknown> {
  const { properties = {}, additionalProperties, required = [] } = schema;
  // Collected as entries: an assignment to the key `__proto__` would set the prototype.
  const checked: [string, unknown][] = [];
  for (const [key, item] of Object.entries(value)) {
    const at = [...path, key];
    const property = ownValue(properties, key);
    if (property !== undefined) checked.push([key, check(property, item, at, report)]);
    else if (typeof additionalProperties === "object") {
      checkKey(schema, key, at, report);
      checked.push([key, check(additionalProperties, item, at, report)]);
    } else if (additionalProperties !== true)
      report({
        path: at,
        message: `is not a known field${fieldHint(key, properties)}`,
        unknownField: true,
      });
  }
  checkRange("entries", Object.keys(value).length, [undefined, schema.maxProperties], (message) => {
    report({ path, message });
  });
  for (const [key, property] of Object.entries(properties)) {
    if (Object.hasOwn(value, key)) continue;
    const at = [...path, key];
    if (property.default !== undefined) checked.push([key, check(property, property.default, at, report)]);
    else if (required.includes(key)) report({ path: at, message: "is missing" });
  }
  return Object.fromEntries(checked);
}

function checkKey(
  { "x-key-pattern": pattern }: Schema,
  key: string,
  path: Path,
  report: (finding: Finding) => void,
): void {
  if (pattern === undefined || new RegExp(pattern).test(key)) return;
  report({ path, message: `the key must be ${PATTERN_HELP.get(pattern) ?? pattern}` });
}

function checkArray(
  schema: Schema,
  value: readonly unknown[],
  path: Path,
  report: (finding: Finding) => void,
): unknown[] {
  checkRange("items", value.length, [schema.minItems, schema.maxItems], (message) => {
    report({ path, message });
  });
  for (const again of repeated(schema, value))
    report({ path: [...path, ...again], message: "must not be given twice" });
  const { items } = schema;
  return items === undefined ? [...value] : value.map((item, index) => check(items, item, [...path, index], report));
}

/** Returns the paths of repeated items of a set, or of repeated keys of the items of a map. */
function repeated(schema: Schema, items: readonly unknown[]): Path[] {
  const [key] = schema["x-kubernetes-list-type"] === "map" ? (schema["x-kubernetes-list-map-keys"] ?? []) : [];
  if (key === undefined && schema["x-kubernetes-list-type"] !== "set") return [];
  const before = new Set<unknown>();
  return items.flatMap((item, index) => {
    const value = key === undefined ? item : (item as Record<string, unknown> | null)?.[key];
    if (value === undefined) return [];
    if (!before.has(value)) {
      before.add(value);
      return [];
    }
    return [key === undefined ? [index] : [index, key]];
  });
}

function checkString(schema: Schema, value: string, path: Path, report: (finding: Finding) => void): void {
  if (schema.enum !== undefined) {
    if (!schema.enum.includes(value))
      report({
        path,
        message: `must be ${schema.enum.map((one) => `\`${one}\``).join(" or ")}${schema.enum.length > 2 ? meant(value, schema.enum) : ""}`,
      });
    return;
  }
  const length = Array.from(value).length;
  if (schema.minLength !== undefined && length < schema.minLength) report({ path, message: "must not be empty" });
  else if (schema.maxLength !== undefined && length > schema.maxLength) {
    report({ path, message: `must have at most ${schema.maxLength} characters, has ${length}` });
  } else if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(value)) {
    const form = PATTERN_HELP.get(schema.pattern) ?? `of the form ${schema.pattern}`;
    report({ path, message: `must be ${form}${patternHint(schema, value)}` });
  }
}

function checkRange(
  what: string,
  value: number,
  [minimum, maximum]: readonly [number | undefined, number | undefined],
  report: (message: string) => void,
): void {
  if ((minimum === undefined || value >= minimum) && (maximum === undefined || value <= maximum)) return;
  const bounds =
    minimum === undefined
      ? `at most ${maximum}`
      : maximum === undefined
        ? `at least ${minimum}`
        : `${minimum} to ${maximum}`;
  report(what === "" ? `must be ${bounds}, is ${value}` : `must have ${bounds} ${what}, has ${value}`);
}

function isOfType(type: Schema["type"], value: unknown): boolean {
  switch (type) {
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "array":
      return Array.isArray(value);
    case "string":
      return typeof value === "string";
    case "integer":
      return Number.isSafeInteger(value);
    case "boolean":
      return typeof value === "boolean";
  }
}

function article(type: Schema["type"]): string {
  return {
    object: "an object",
    array: "a list",
    string: "a string",
    integer: "a whole number",
    boolean: "true or false",
  }[type];
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return "empty";
  if (Array.isArray(value)) return "a list";
  return typeof value === "number" ? "a number" : typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function wrongType(schema: Schema, value: unknown, path: Path): string {
  const { type, pattern = "" } = schema;
  const hint = PATTERN_HINT.get(pattern)?.(value);
  if (hint !== undefined) return `must be ${PATTERN_HELP.get(pattern) ?? ""}: ${hint}`;
  return `must be ${article(type)}, is ${kindOf(value)}${typeHint(schema, value, String(path.at(-1)))}`;
}

function patternHint({ pattern = "" }: Schema, value: unknown): string {
  const hint = PATTERN_HINT.get(pattern)?.(value);
  return hint === undefined ? "" : `: ${hint}`;
}
