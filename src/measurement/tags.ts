import type { LineCounters } from "./counters.ts";

// Line protocol has no form for a line break in a tag, nor for a backslash at its end (it would escape the separator
// behind it); InfluxDB 2 refuses the whole batch for either. A backslash before a character that is escaped itself makes
// InfluxDB find the end of the line elsewhere than the end of the tag, and two lines become one. Other control characters
// it would store, but InfluxDB 1 puts a refused line into a header of its answer, which no HTTP client reads with them.
const UNSTORABLE = /\p{Cc}|\\(?=[, =]|$)/u;
/**
 * Characters of a tag's value. No name of libvirt or Kubernetes has more, and all tags that a line can have stay far
 * below the 64 KiB of a series that InfluxDB takes.
 */
const MAX_CHARACTERS = 256;
const SPECIAL = /[, =]/;

/** `,key=value` with the value escaped; nothing when the value is empty, which InfluxDB would refuse. */
export function tag(key: string, value: string | undefined, counters: LineCounters): string {
  const text = value === undefined ? "" : storable(value, counters);
  return text === "" ? "" : `,${escapeTag(key)}=${escapeTag(text)}`;
}

/** A measurement name, escaped: there an equals sign is literal. */
export function escapeMeasurement(name: string): string {
  return name.replace(/[, ]/g, "\\$&");
}

function storable(value: string, counters: LineCounters): string {
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
