import type { Schema } from "../../src/config/json-schema.ts";
import { PATTERN_HELP } from "../../src/config/schema-parts.ts";

/** A bound that only the API server needs. */
const INT32_MAX = 2_147_483_647;

/** Returns a Markdown table. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [header, header.map(() => "---"), ...rows].map(
    (cells) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`,
  );
  return lines.join("\n");
}

/** Returns a row for every field of an object: name, type, default, description. Rows of inner fields follow their object. */
export function fieldRows(schema: Schema, at: string): string[][] {
  return Object.entries(schema.properties ?? {}).flatMap(([key, property]) => {
    const path = `${at}.${key}`;
    const required = schema.required?.includes(key) === true && property.default === undefined;
    const row = [code(path), typeOf(property), required ? "required" : defaultOf(property), property.description ?? ""];
    if (property.type === "object") return [row, ...fieldRows(property, path)];
    if (property.items?.type === "object") return [row, ...fieldRows(property.items, `${path}[]`)];
    return [row];
  });
}

/** Like `fieldRows`, for a status, which has no defaults. */
export function statusRows(schema: object): string[][] {
  return fieldRows(schema as Schema, "status").map(([path = "", type = "", , description = ""]) => [
    path,
    type,
    description,
  ]);
}

export function code(text: string): string {
  return `\`${text}\``;
}

function typeOf(schema: Schema): string {
  if (schema.enum !== undefined) return schema.enum.map(code).join(", ");
  switch (schema.type) {
    case "array":
      return `list of ${schema.minItems ?? 0} to ${schema.maxItems}: ${schema.items === undefined || schema.items.type === "object" ? "objects" : typeOf(schema.items)}`;
    case "object":
      return typeof schema.additionalProperties === "object"
        ? `map of strings, ${schema.maxProperties ?? ""} at most`
        : "object";
    case "integer":
      return numberType(schema);
    case "string":
      return stringType(schema);
    case "boolean":
      return "true or false";
  }
}

function numberType({ minimum, maximum = INT32_MAX }: Schema): string {
  return minimum === 0 && maximum === INT32_MAX ? "whole number" : `whole number, ${minimum} to ${maximum}`;
}

function stringType({ format, pattern, maxLength }: Schema): string {
  if (format === "date-time") return "time";
  return pattern === undefined ? `text, ${maxLength} characters at most` : (PATTERN_HELP.get(pattern) ?? "text");
}

function defaultOf(schema: Schema): string {
  if (schema.default === undefined || schema.type === "object") return "";
  return code(
    typeof schema.default === "string" && schema.default !== "" ? schema.default : JSON.stringify(schema.default),
  );
}
