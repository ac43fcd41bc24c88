import type { LineCounters } from "./line-protocol.ts";

// Line protocol cannot represent a line break in a tag, nor a backslash at its end, which escapes the separator; InfluxDB
// 2 rejects the whole batch for either. A backslash before an escaped character makes InfluxDB misread the end of the tag,
// and two lines become one. InfluxDB stores other control characters, but InfluxDB 1 copies a rejected line into a header
// of its response, and HTTP clients reject a header with control characters.
const UNSTORABLE = /\p{Cc}|\\(?=[, =]|$)/u;
/**
 * Longest value of a tag. Names of libvirt and Kubernetes are shorter, and with this limit all tags of a line stay far
 * below the 64 KiB that InfluxDB allows for a series.
 */
const MAX_CHARACTERS = 256;
const CONTROL = /\p{Cc}/u;
const SPECIAL = /[, =]/;

/** Returns `,key=value`, escaped. Returns an empty string for an empty value, because InfluxDB rejects empty tags. */
export function tag(key: string, value: string | undefined, counters: LineCounters): string {
  const text = value === undefined ? "" : sanitize(value, counters);
  return text === "" ? "" : `,${escapeTag(key)}=${escapeTag(text)}`;
}

/** Returns an escaped measurement name. Unlike in a tag, an equals sign is not escaped. */
export function escapeMeasurement(name: string): string {
  return name.replace(/[, ]/g, "\\$&");
}

/** Returns a text as the value of a field: of 256 characters at most, in one line and well-formed. */
export function storableText(value: string, counters: LineCounters): string {
  if (value.length <= MAX_CHARACTERS && !CONTROL.test(value) && value.isWellFormed()) return value;
  counters.sanitizedTags++;
  return value
    .slice(0, MAX_CHARACTERS)
    .toWellFormed()
    .replace(/\p{Cc}/gu, " ");
}

function sanitize(value: string, counters: LineCounters): string {
  if (value.length <= MAX_CHARACTERS && !UNSTORABLE.test(value) && value.isWellFormed()) return value;
  counters.sanitizedTags++;
  return value
    .slice(0, MAX_CHARACTERS)
    .toWellFormed()
    .replace(/\p{Cc}/gu, " ")
    .replace(/\\+(?=[, =]|$)/g, "");
}

function escapeTag(text: string): string {
  return SPECIAL.test(text) ? text.replace(/[, =]/g, "\\$&") : text;
}
