const UNITS: Readonly<Record<string, number>> = { h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

/** The grammar of Gateway API durations (GEP-2257): one to four terms of at most five digits. */
export const DURATION_PATTERN = "^([0-9]{1,5}(h|m|s|ms)){1,4}$";
const WHOLE = new RegExp(DURATION_PATTERN);

/** Returns the milliseconds of a duration such as `5s` or `1h30m`; undefined if the text is not a duration. */
export function parseDuration(text: string): number | undefined {
  if (!WHOLE.test(text)) return undefined;
  let total = 0;
  for (const [, digits, unit] of text.matchAll(/([0-9]+)(ms|h|m|s)/g))
    total += Number(digits) * (UNITS[unit ?? ""] ?? 0);
  return total;
}

/** Returns the shortest duration text for a number of milliseconds: 5400000 -> `1h30m`. */
export function formatDuration(ms: number): string {
  let rest = Math.round(ms);
  let text = "";
  for (const [unit, size] of Object.entries(UNITS)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) text += `${count}${unit}`;
  }
  return text || "0s";
}
