import { messageOf } from "../errors.ts";
import { compressLines, expandFrame, splitBatch, type BatchLimits } from "../spool/frame-payload.ts";
import type { Frame, LineBatch } from "../spool/spool.ts";
import type { Outcome } from "./outcome.ts";

/**
 * One bad line among 5,000 takes 13 of these, and 27 requests. After as many a part that is refused is given up; parts
 * that are not are still sent, so that a good line is lost only beside a bad one.
 */
const MAX_SPLITS = 32;
const MAX_EXAMPLE = 200;
const NEWLINE = 10;

/** Lines from one number up to, but without, another. */
interface Part {
  readonly from: number;
  readonly to: number;
}

/**
 * A batch that the server does not take as a whole, because of a bad line in it or because it is too large. Sent in
 * parts, the largest first, until every line is stored or refused by itself; when that takes too many requests, the
 * parts that are refused are given up. Lines that were stored before are stored again with the same values, which changes
 * nothing.
 */
export class Bisection {
  readonly #lines: Uint8Array;
  /** Where each line begins, and where the last one ends. */
  readonly #offsets: readonly number[];
  #parts: Part[];
  #splits = 0;
  #rejectedLines = 0;
  #example = "";

  private constructor(lines: Uint8Array, limits: BatchLimits) {
    this.#lines = lines;
    this.#offsets = lineOffsets(lines);
    this.#parts = partsOf({ lines: this.#offsets.length - 1, bytes: lines }, limits);
  }

  /** The lines of these frames, to be sent in parts within these limits at first. */
  static async of(frames: readonly Frame[], limits: BatchLimits): Promise<Bisection> {
    const opened = await Promise.allSettled(frames.map(expandFrame));
    const intact = opened.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    const bisection = new Bisection(Buffer.concat(intact), limits);
    for (const [index, result] of opened.entries()) {
      if (result.status === "rejected") {
        bisection.#reject(frames[index]?.lines ?? 0, `damaged in the buffer: ${messageOf(result.reason)}`);
      }
    }
    return bisection;
  }

  get rejectedLines(): number {
    return this.#rejectedLines;
  }

  /** The first line that was refused, cut at 200 characters, and why. */
  get example(): string {
    return this.#example;
  }

  /**
   * Sends until all is decided: undefined then. Else the outcome that says nothing about the lines, such as a server that
   * does not answer: to be called again later, and it goes on where it stopped.
   */
  async run(send: (body: Uint8Array, lines: number) => Promise<Outcome>): Promise<Outcome | undefined> {
    for (let part = this.#largest(); part !== undefined; part = this.#largest()) {
      const lines = part.to - part.from;
      const outcome = await send(await compressLines(this.#bytes(part)), lines);
      if (outcome.kind === "retry" || outcome.kind === "misconfigured") return outcome;
      this.#parts = this.#parts.filter((other) => other !== part);
      this.#decide(part, outcome);
    }
    return undefined;
  }

  #decide(part: Part, outcome: Outcome): void {
    const lines = part.to - part.from;
    switch (outcome.kind) {
      case "partial":
        this.#reject(Math.min(lines, outcome.rejectedLines), outcome.detail);
        break;
      case "tooLarge":
        // Only the search for bad lines has a bound: a small limit of the server must not cost good ones.
        if (lines > 1) this.#split(part);
        else this.#reject(1, `${outcome.detail}: ${this.#text(part)}`);
        break;
      case "refused":
        if (lines > 1 && this.#splits++ < MAX_SPLITS) this.#split(part);
        else this.#reject(lines, `${outcome.detail}: ${this.#text(part)}`);
        break;
      default:
    }
  }

  #split({ from, to }: Part): void {
    const middle = Math.ceil((from + to) / 2);
    this.#parts.push({ from, to: middle }, { from: middle, to });
  }

  #largest(): Part | undefined {
    let largest: Part | undefined;
    for (const part of this.#parts)
      if (largest === undefined || part.to - part.from > largest.to - largest.from) largest = part;
    return largest;
  }

  #bytes({ from, to }: Part): Uint8Array {
    return this.#lines.subarray(this.#offsets[from], this.#offsets[to]);
  }

  /** The first line of a part, as an example. */
  #text({ from }: Part): string {
    const line = Buffer.from(this.#bytes({ from, to: from + 1 }))
      .toString()
      .trimEnd();
    return line.length > MAX_EXAMPLE ? `${line.slice(0, MAX_EXAMPLE)}...` : line;
  }

  #reject(lines: number, example: string): void {
    this.#rejectedLines += lines;
    this.#example ||= example;
  }
}

function lineOffsets(lines: Uint8Array): number[] {
  const offsets = [0];
  for (let end = 0; end < lines.length; offsets.push(end)) {
    const newline = lines.indexOf(NEWLINE, end);
    end = newline < 0 ? lines.length : newline + 1;
  }
  return offsets;
}

function partsOf(batch: LineBatch, limits: BatchLimits): Part[] {
  let from = 0;
  return splitBatch(batch, limits).flatMap(({ lines }) => {
    const part = { from, to: from + lines };
    from = part.to;
    return lines > 0 ? [part] : [];
  });
}
