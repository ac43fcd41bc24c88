import { TAGS } from "../contract.ts";

/** Tag keys that a configuration must not use: the agent's own, and the one that InfluxDB reserves. */
export const RESERVED_TAGS: readonly string[] = [...TAGS, "time"];

/** A label or annotation that becomes a tag. */
export interface TagSource {
  readonly key: string;
  readonly tag?: string;
}

/** The tag key of a source: as given, else the key with `_` for what a tag key cannot have. */
export function tagOf({ key, tag }: TagSource): string {
  return tag ?? key.replace(/[^A-Za-z0-9_]/g, "_");
}

/** `tagOf(s)` in CEL, which has no replacement by pattern: the schema lets no other character into a key. */
export const TAG_OF_CEL = "(has(s.tag) ? s.tag : s.key.replace('.', '_').replace('-', '_').replace('/', '_'))";
