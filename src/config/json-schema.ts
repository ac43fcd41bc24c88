/** A JSON schema, limited to what a structural CRD schema allows and this project uses. */
export interface Schema {
  readonly type: "object" | "array" | "string" | "integer" | "boolean";
  readonly description?: string;
  readonly default?: unknown;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  /** A schema: the object is a map. `true`: unlisted fields are allowed and not checked. */
  readonly additionalProperties?: Schema | boolean;
  readonly "x-key-pattern"?: string;
  readonly maxProperties?: number;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  /** Documents the format; only the API server checks it. */
  readonly format?: "date-time" | "int32" | "int64";
  /** The items of a set must differ, and the keys of the items of a map. */
  readonly "x-kubernetes-list-type"?: "atomic" | "set" | "map";
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
}
