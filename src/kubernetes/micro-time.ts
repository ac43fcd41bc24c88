/** A time in a Lease or an Event: the API takes it with exactly six digits behind the second. */
export function microTime(ms: number): string {
  return new Date(ms).toISOString().replace("Z", "000Z");
}
