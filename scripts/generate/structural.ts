import type { Schema } from "../../src/config/check.ts";

/** Which fields of an object must be given. */
type Demand = (schema: Schema) => readonly string[];

/** Those that have no default. */
export function withoutDefault({ required = [], properties = {} }: Schema): readonly string[] {
  return required.filter((field) => properties[field]?.default === undefined);
}

/** None: agents of another version must be able to report what they have. */
export function none(): readonly string[] {
  return [];
}

/** Keywords that are written anew, or are of no use to an API server. */
const OWN = ["properties", "items", "additionalProperties", "required", "x-key-pattern"];

/** A schema as a structural CRD schema has it. */
export function structural(schema: Schema, demand: Demand): Schema {
  const { type, properties, items, additionalProperties } = schema;
  const required = demand(schema);
  return {
    type,
    ...(type === "integer" && { format: "int32" }),
    ...Object.fromEntries(Object.entries(schema).filter(([keyword]) => !OWN.includes(keyword))),
    ...(required.length > 0 && { required }),
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([field, property]) => [field, structural(property, demand)]),
      ),
    }),
    // What is listed is listed whole.
    ...(items && { items: structural(items, withoutDefault) }),
    ...(typeof additionalProperties === "object" && { additionalProperties: structural(additionalProperties, demand) }),
  };
}
