import { foreignText } from "../lib/display-text.ts";
import { lineOffsets } from "../spool/batch-parts.ts";
import type { NamedLine, Outcome } from "./outcome.ts";

/** Lines that a target rejected for good. */
export interface Rejection {
  readonly lines: number;
  readonly reason: string;
  /**
   * The lines, each ended by a newline. More than `lines` if it is unknown which of these were rejected, and undefined if the
   * lines cannot be read.
   */
  readonly bytes?: Uint8Array;
  /** The server is at a limit, and some of these lines are stored. Later batches have such a rejection too. */
  readonly isAtLimit?: true;
}

const MAX_EXAMPLE = 200;
const [HASH, NEWLINE, QUOTE] = Buffer.from('#\n"');

/** Returns whether the lines of a rejection are known. */
export function isExact({ lines, bytes }: Rejection): boolean {
  return bytes !== undefined && lineOffsets(bytes).length - 1 === lines;
}

/**
 * Returns the rejections of a request that was stored in part: one for each named line, one for all others. `pieces` are the
 * lines of the request. What the server shows of a line is never taken for the line: it may be cut, or written differently.
 */
export function rejectionsOf(
  pieces: readonly Uint8Array[],
  { rejectedLines, detail, named, isAtLimit }: Omit<Extract<Outcome, { readonly kind: "partial" }>, "kind">,
): readonly Rejection[] {
  const finder = new PieceFinder(pieces);
  const reasons = new Map<Uint8Array, string>();
  for (const name of named) {
    const piece = finder.find(name);
    if (piece !== undefined && reasons.size < rejectedLines) reasons.set(piece, name.reason);
  }
  const rejections = [...reasons].map(([bytes, reason]): Rejection => ({ lines: 1, reason, bytes }));
  const others = pieces.filter((piece) => !reasons.has(piece));
  const lines = Math.min(others.length, rejectedLines - rejections.length);
  if (lines <= 0) return rejections;
  const bytes = Buffer.concat(others);
  if (lines === others.length) return [...rejections, { lines, reason: detail, bytes }];
  const reason = `${lines} of these ${others.length} lines: ${detail}`;
  return [...rejections, { lines, reason, bytes, ...(isAtLimit && { isAtLimit }) }];
}

/** Finds the lines of a request that a server names. */
export class PieceFinder {
  readonly #pieces: readonly Uint8Array[];
  #numbered: readonly Uint8Array[] | undefined;
  #byText: ReadonlyMap<string, Uint8Array> | undefined;

  constructor(pieces: readonly Uint8Array[]) {
    this.#pieces = pieces;
  }

  /**
   * Returns the line, or undefined if it cannot be told. A quotation mark without a second one makes a server read the
   * following lines as a part of this one. From there on a number says too little.
   */
  find({ number, text }: NamedLine): Uint8Array | undefined {
    if (number === undefined) return text === undefined ? undefined : this.#withText(text);
    // InfluxDB 3 counts neither blank lines nor comments.
    this.#numbered ??= untilOddQuotes(this.#pieces.filter(([first]) => first !== HASH && first !== NEWLINE));
    return this.#numbered[number - 1];
  }

  #withText(text: string): Uint8Array | undefined {
    this.#byText ??= new Map(this.#pieces.map((piece) => [Buffer.from(piece).toString().trimEnd(), piece]));
    return this.#byText.get(text.trimEnd());
  }
}

/** Returns the pieces before the first one with a quotation mark that has no second one. */
function untilOddQuotes(pieces: readonly Uint8Array[]): readonly Uint8Array[] {
  const end = pieces.findIndex(hasOddQuotes);
  return end === -1 ? pieces : pieces.slice(0, end);
}

function hasOddQuotes(piece: Uint8Array): boolean {
  let quotes = 0;
  for (const byte of piece) if (byte === QUOTE) quotes++;
  return quotes % 2 === 1;
}

export function countLines(rejections: readonly Rejection[]): number {
  return rejections.reduce((sum, { lines }) => sum + lines, 0);
}

/** Returns the reason of the first rejection and, if it is known, the line, cut and printable. */
export function exampleOf([first]: readonly Rejection[]): string {
  if (first?.bytes === undefined || !isExact(first)) return first?.reason ?? "";
  const [line = ""] = Buffer.from(first.bytes).toString().split("\n", 1);
  return `${first.reason}: ${foreignText(line, MAX_EXAMPLE)}`;
}
