import type { TSchema } from "typebox";
import * as Type from "typebox";

/** A type whose fields and items are read-only, at every depth. */
export type Immutable<T> = T extends object ? { readonly [Key in keyof T]: Immutable<T[Key]> } : T;

interface ListOptions {
  readonly description: string;
  readonly maxItems: number;
  readonly minItems?: number;
  readonly default?: unknown;
}

/** Returns the schema of a string with one of these values. */
export const choice = <const Values extends readonly string[]>(
  values: Values,
  description: string,
  defaultValue?: Values[number],
) =>
  Type.Unsafe<Values[number]>({
    type: "string",
    enum: values,
    description,
    ...(defaultValue !== undefined && { default: defaultValue }),
  });

/** Returns the schema of a list that a server-side apply replaces as a whole. */
export const list = <Item extends TSchema>(item: Item, options: ListOptions) =>
  Type.Array(item, { ...options, "x-kubernetes-list-type": "atomic" });

/** Returns the schema of a list of different values. */
export const set = <Item extends TSchema>(item: Item, options: ListOptions) =>
  Type.Array(item, { ...options, "x-kubernetes-list-type": "set" });

/** Returns the schema of a list of objects with different values of `field`. */
export const keyedList = <Item extends TSchema>(field: string, item: Item, options: ListOptions) =>
  Type.Array(item, { ...options, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [field] });
