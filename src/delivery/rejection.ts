import { foreignText } from "../lib/display-text.ts";
import type { NamedLine } from "./outcome.ts";

/** Lines that a target rejected for good. */
export interface Rejection {
  readonly lines: number;
  readonly reason: string;
  /** The lines, each ended by a newline; undefined if it is unknown which lines of a batch they are. */
  readonly bytes?: Uint8Array;
}

const MAX_EXAMPLE = 200;

/** Returns the rejections of a batch that was stored in part: one for each named line, one for all others. */
export function rejectionsOf(
  rejectedLines: number,
  { detail, named }: { readonly detail: string; readonly named: readonly NamedLine[] },
): readonly Rejection[] {
  const rejections = named.slice(0, rejectedLines).map(({ line, reason }): Rejection => ({
    lines: 1,
    reason,
    ...(line !== "" && { bytes: Buffer.from(`${line}\n`) }),
  }));
  const unnamed = rejectedLines - rejections.length;
  return unnamed > 0 ? [...rejections, { lines: unnamed, reason: detail }] : rejections;
}

export function countLines(rejections: readonly Rejection[]): number {
  return rejections.reduce((sum, { lines }) => sum + lines, 0);
}

/** Returns the reason of the first rejection and, if it is known, the line, cut and printable. */
export function exampleOf([first]: readonly Rejection[]): string {
  if (first?.bytes === undefined) return first?.reason ?? "";
  const [line = ""] = Buffer.from(first.bytes).toString().split("\n", 1);
  return `${first.reason}: ${foreignText(line, MAX_EXAMPLE)}`;
}
