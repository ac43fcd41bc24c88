import { readFileSync } from "node:fs";
import { isMap, isNode, isScalar, parse, parseDocument, type Document, type YAMLMap } from "yaml";
import type { Schema } from "../../src/config/json-schema.ts";
import { SPEC_SCHEMA } from "../../src/config/schema.ts";
import { CHART } from "../helm.ts";
import { code, table } from "./field-table.ts";
import { structural, withoutDefault } from "./structural.ts";

/** A value of the chart, from values.yaml. */
interface Value {
  readonly key: string;
  readonly description: string;
  /** From a line `@schema`. It takes precedence over the type of the default. */
  readonly schema: JsonSchema;
  /** The values below it; undefined for a leaf. */
  readonly below: readonly Value[] | undefined;
  readonly fallback: unknown;
}

type JsonSchema = Readonly<Record<string, unknown>>;

const README = `${CHART}/README.md`;
const BEGIN = "<!-- values -->";
const END = "<!-- /values -->";
const SCHEMA = "@schema ";

/** Returns the schema of the values. A value's type follows from its default; other values are not allowed. */
export function valuesSchema(): string {
  const schema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    ...objectSchema(readValues()),
    $defs: { telemetryConfigSpec: specSchema() },
  };
  return JSON.stringify(schema);
}

/** Returns the chart's README with a row for every value. */
export function chartReadme(): string {
  const text = readFileSync(README, "utf8");
  const [begin, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`${README} has no markers for the table of values`);
  const rows = table(["value", "default", "description"], rowsOf(readValues()));
  return `${text.slice(0, begin)}${BEGIN}\n\n${rows}\n\n${text.slice(end)}`;
}

function readValues(): readonly Value[] {
  const document = parseDocument(readFileSync(`${CHART}/values.yaml`, "utf8"));
  if (!isMap(document.contents)) throw new Error("values.yaml has no values");
  return valuesIn(document.contents, document);
}

function valuesIn(map: YAMLMap, document: Document): Value[] {
  return map.items.map(({ key, value }, index) => {
    if (!isScalar(key) || !isNode(value)) throw new Error("values.yaml has a key without a value");
    // The parser attaches the comment above the first key to the map.
    const comments = key.commentBefore ?? (index === 0 ? map.commentBefore : undefined);
    const lines = (comments ?? "").split("\n").map((line) => line.trim());
    // A comment above an empty line does not belong to this value.
    const comment = lines.slice(lines.lastIndexOf("") + 1);
    const schema = comment.filter((line) => line.startsWith(SCHEMA)).map((line) => line.slice(SCHEMA.length));
    const described = (parse(schema.join("\n")) ?? {}) as JsonSchema;
    // A map that allows additional properties is one value, unless the properties that it has are described.
    const isOpen = described["additionalProperties"] !== undefined && (value.commentBefore ?? "") === "";
    const isLeaf = !isMap(value) || value.items.length === 0 || isOpen;
    return {
      key: String(key.value),
      description: comment.filter((line) => !line.startsWith(SCHEMA)).join(" "),
      schema: described,
      below: isLeaf ? undefined : valuesIn(value, document),
      fallback: value.toJS(document) as unknown,
    };
  });
}

function objectSchema(values: readonly Value[]) {
  return {
    type: "object",
    additionalProperties: false,
    properties: Object.fromEntries(values.map((value) => [value.key, schemaOf(value)])),
  };
}

function schemaOf({ description, schema, below, fallback }: Value): JsonSchema {
  const described = { ...(description !== "" && { description }) };
  if (below !== undefined) return { ...described, ...objectSchema(below), ...schema };
  return { ...described, type: typeOf(fallback), default: fallback, ...schema };
}

function typeOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return Number.isInteger(value) ? "integer" : typeof value;
}

function rowsOf(values: readonly Value[], at = ""): string[][] {
  return values.flatMap(({ key, description, below, fallback }) => {
    const path = at + key;
    if (below === undefined) return [[code(path), code(JSON.stringify(fallback)), description]];
    const rows = rowsOf(below, `${path}.`);
    return description === "" ? rows : [[code(path), "", description], ...rows];
  });
}

/** Returns the schema of a TelemetryConfig's `spec`, so that Helm rejects a faulty one before it installs anything. */
function specSchema(): JsonSchema {
  return closed(structural(SPEC_SCHEMA as unknown as Schema, withoutDefault) as unknown as JsonSchema);
}

/** Returns a schema without the keywords that only an API server knows, and without additional properties. */
function closed(schema: JsonSchema): JsonSchema {
  const known = Object.entries(schema).filter(([keyword]) => keyword !== "format" && !keyword.startsWith("x-"));
  const inside = known.map(([keyword, value]) => {
    if (keyword === "properties")
      return [
        keyword,
        Object.fromEntries(Object.entries(value as object).map(([name, of]) => [name, closed(of as JsonSchema)])),
      ];
    const isSchema = (keyword === "items" || keyword === "additionalProperties") && typeof value === "object";
    return [keyword, isSchema ? closed(value as JsonSchema) : value];
  });
  return {
    ...("properties" in schema && { additionalProperties: false }),
    ...Object.fromEntries(inside),
  } as JsonSchema;
}
