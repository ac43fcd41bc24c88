import type { Schema } from "../../src/config/json-schema.ts";

/** Returns the required fields of an object. */
type Demand = (schema: Schema) => readonly string[];

/** The fields without a default. */
export function withoutDefault({ required = [], properties = {} }: Schema): readonly string[] {
  return required.filter((field) => properties[field]?.default === undefined);
}

/** No field: agents of another version must be able to write their reports. */
export function none(): readonly string[] {
  return [];
}

/** Keywords that this module writes itself, or that an API server does not know. */
const OWN = ["properties", "items", "additionalProperties", "required", "x-key-pattern"];

/** Returns a schema in the form of a structural CRD schema. */
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
