/** A line that a server names, and why it refuses it. */
export interface NamedLine {
  /** Empty when the server tells the reason only. */
  readonly line: string;
  readonly reason: string;
}

/** Lines that a target refuses for good. */
export interface Rejection {
  readonly lines: number;
  readonly reason: string;
  /** The lines, each ended by a newline; undefined when nobody knows which of a batch they are. */
  readonly bytes?: Uint8Array;
}

const MAX_EXAMPLE = 200;

/** What a server refused of a batch that it stored in part. */
export function rejectionsOf(
  rejectedLines: number,
  { detail, named }: { readonly detail: string; readonly named: readonly NamedLine[] },
): readonly Rejection[] {
  const refusals = named.slice(0, rejectedLines).map(({ line, reason }): Rejection => ({
    lines: 1,
    reason,
    ...(line !== "" && { bytes: Buffer.from(`${line}\n`) }),
  }));
  const nameless = rejectedLines - refusals.length;
  return nameless > 0 ? [...refusals, { lines: nameless, reason: detail }] : refusals;
}

export function countLines(refusals: readonly Rejection[]): number {
  return refusals.reduce((sum, { lines }) => sum + lines, 0);
}

/** Why the first of them was refused and, as far as it is known, the line itself, cut at 200 characters. */
export function exampleOf([first]: readonly Rejection[]): string {
  if (first?.bytes === undefined) return first?.reason ?? "";
  const [line = ""] = Buffer.from(first.bytes).toString().split("\n", 1);
  return `${first.reason}: ${line.length > MAX_EXAMPLE ? `${line.slice(0, MAX_EXAMPLE)}...` : line}`;
}
