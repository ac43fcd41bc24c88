/** What the encoder had to change or leave out because line protocol cannot say it; cumulative. */
export interface LineCounters {
  clampedIntegers: number;
  omittedFloats: number;
  sanitizedTags: number;
}

export function newLineCounters(): LineCounters {
  return { clampedIntegers: 0, omittedFloats: 0, sanitizedTags: 0 };
}
