/**
 * Runs all subjects in turns for several rounds, so that other load on the machine affects all of them. Returns the results of
 * each, round by round.
 */
export async function interleave<Subject, Result>(
  subjects: readonly Subject[],
  rounds: number,
  run: (subject: Subject) => Promise<Result> | Result,
): Promise<ReadonlyMap<Subject, readonly Result[]>> {
  const results = new Map(subjects.map((subject): [Subject, Result[]] => [subject, []]));
  for (let round = 0; round < rounds; round++) for (const [subject, of] of results) of.push(await run(subject));
  return results;
}

/** Returns the median of one figure over the rounds. */
export function median<Result>(results: readonly Result[], figure: (result: Result) => number): number {
  const sorted = results.map(figure).sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}
