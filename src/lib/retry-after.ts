const MAX_MS = 600_000;

/**
 * Returns the delay of a Retry-After header (RFC 9110, 10.2.3), at most ten minutes, in milliseconds. The header is a number of
 * seconds or an HTTP date; undefined if it is neither. `nowMs` is the wall clock.
 */
export function parseRetryAfter(value: string | undefined, nowMs: number): number | undefined {
  const text = value?.trim() ?? "";
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1000, MAX_MS);
  // Date.parse accepts "-5" as a year. An HTTP date begins with the day of the week.
  const atMs = /^[A-Za-z]{3,9},? /.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : Math.min(Math.max(atMs - nowMs, 0), MAX_MS);
}
