import { FIELDS, TAGS } from "../contract.ts";

/** Tag keys that a configuration must not use: the agent's own, and the one that InfluxDB reserves. */
export const RESERVED_TAGS: readonly string[] = [...TAGS, "time"];

/** Names of fields, which a tag must not have either. Several measurements have a field of the same name. */
export const FIELD_NAMES: readonly string[] = [...new Set(FIELDS)];

/** A label or annotation to copy into a tag. */
export interface TagSource {
  readonly key: string;
  readonly tag?: string;
}

/** Returns the tag key of a source: `tag` if given, else the key with `_` instead of characters that a tag cannot have. */
export function tagOf({ key, tag }: TagSource): string {
  return tag ?? key.replace(/[^A-Za-z0-9_]/g, "_");
}

/** `tagOf(s)` in CEL, which cannot replace by a pattern. A key has no characters to replace except these three. */
export const TAG_OF_CEL = "(has(s.tag) ? s.tag : s.key.replace('.', '_').replace('-', '_').replace('/', '_'))";
