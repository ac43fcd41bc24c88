/** Returns how much a counter has grown; undefined if a value is missing or the counter was reset. */
export function growth(before: bigint | undefined, after: bigint | undefined): number | undefined {
  return before === undefined || after === undefined || after < before ? undefined : Number(after - before);
}
