import { ownValue } from "../lib/own-value.ts";
import type { Schema } from "./json-schema.ts";

/** The unit at the end of a field's name -> its size as a power of 1024. */
const FIELD_UNITS = new Map([
  ["KiB", 1],
  ["MiB", 2],
]);

/** Returns `: ` and how to write a value that has the wrong type, or nothing. `field` is the name of its field. */
export function typeHint(schema: Schema, value: unknown, field: string): string {
  switch (schema.type) {
    case "integer":
      return typeof value === "string" ? integerHint(value, field) : "";
    case "array":
      return listHint(schema.items, value);
    case "object":
      return objectHint(schema, value);
    default:
      return "";
  }
}

function integerHint(value: string, field: string): string {
  if (/^[0-9]+$/.test(value)) return ": write the number without quotation marks";
  const [, digits, unit = ""] = /^([0-9]{1,9}) *([a-z]+)$/i.exec(value) ?? [];
  if (digits === undefined) return "";
  const hint = ": write the number without the unit";
  const fieldUnit = field.slice(-3);
  const power = FIELD_UNITS.get(fieldUnit);
  const given = /^[kmgt]i?b?$/i.test(unit) ? "kmgt".indexOf(unit.charAt(0).toLowerCase()) + 1 : 0;
  if (power === undefined || given < power) return hint;
  return `${hint}, in ${fieldUnit}: ${Number(digits) * 1024 ** (given - power)}`;
}

function listHint(items: Schema | undefined, value: unknown): string {
  if (items?.type === "object") return `: write a list of {${requiredOf(items).join(": ..., ") || "..."}: ...}`;
  const [example] = items?.enum ?? [];
  return typeof value !== "string" || example === undefined ? "" : `: write a list, such as [${example}]`;
}

function objectHint(schema: Schema, value: unknown): string {
  if (typeof schema.additionalProperties === "object") return Array.isArray(value) ? ": write {key: value}" : "";
  const [field, ...others] = requiredOf(schema);
  return typeof value !== "string" || field === undefined || others.length > 0 ? "" : `: write {${field}: ...}`;
}

/** Returns the fields that must be given. */
function requiredOf({ required = [], properties = {} }: Schema): readonly string[] {
  return required.filter((name) => ownValue(properties, name)?.default === undefined);
}

/** A field for a secret, which the schema does not have. */
const CREDENTIAL = /token|passw|credential|secret|api.?key|^auth|^user|^value$/i;

/** The name of a Secret, or of a key in it. */
const NAME = /ref$|secret_?name$|(token|password|username|secret)_?key$/i;

/** Returns what an unknown field may be meant to be, and otherwise the fields that there are. */
export function fieldHint(key: string, properties: Readonly<Record<string, Schema>>): string {
  const known = Object.keys(properties);
  if (CREDENTIAL.test(key) && !NAME.test(key)) {
    const refs = secretRefs(properties);
    if (refs.length > 0)
      return `: put the value into a Secret, not into the configuration, and name the Secret in ${refs.map((ref) => `\`${ref}\``).join(" or ")}`;
    if (known.join() === "name,key")
      return ": put the value into a Secret, not into the configuration; `name` names the Secret, and `key` the key in it";
  }
  const hint = meant(key, known);
  return known.length === 0 || hint !== "" ? hint : `; known are ${known.join(", ")}`;
}

/** Returns the field that names a Secret, or else those of the objects in the fields. */
function secretRefs(properties: Readonly<Record<string, Schema>>): readonly string[] {
  const own = Object.keys(properties).find((name) => name.endsWith("SecretRef"));
  if (own !== undefined) return [own];
  return Object.entries(properties).flatMap(([name, { properties: below = {} }]) =>
    Object.keys(below).flatMap((field) => (/^(token|credentials)SecretRef$/.test(field) ? [`${name}.${field}`] : [])),
  );
}

/** Returns `; did you mean ...?` if one of the known names is similar. The name of a measurement is similar to its family. */
export function meant(given: string, known: readonly string[]): string {
  const name = given.toLowerCase().replace(/^vm_/, "");
  const nearest = known.map((one) => ({ one, distance: editDistance(name, one.toLowerCase()) }));
  const [best] = nearest.sort((a, b) => a.distance - b.distance);
  return best !== undefined && best.distance <= Math.max(2, best.one.length / 3)
    ? `; did you mean \`${best.one}\`?`
    : "";
}

/** Returns the Levenshtein distance of two names; only their first 64 characters count. */
function editDistance(a: string, b: string): number {
  const target = b.slice(0, 64);
  let row = Array.from({ length: target.length + 1 }, (_, index) => index);
  for (const [i, left] of Array.from(a.slice(0, 64)).entries()) {
    const next = [i + 1];
    for (const [j, right] of Array.from(target).entries()) {
      const replace = (row[j] ?? 0) + (left === right ? 0 : 1);
      next.push(Math.min(replace, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[target.length] ?? target.length;
}
