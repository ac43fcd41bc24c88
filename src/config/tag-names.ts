import { FAMILY_TAGS, TAGS } from "../contract.ts";

/** Tag keys that no configuration may use: the agent's own, and the one that InfluxDB reserves. */
export const RESERVED_TAGS: readonly string[] = [...TAGS.filter((tag) => !FAMILY_TAGS.includes(tag)), "time"];

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
