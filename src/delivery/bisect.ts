import { compressLines, expandFrame } from "../spool/frame-payload.ts";
import { messageOf } from "../errors.ts";
import type { Frame } from "../spool/spool.ts";
import type { Outcome } from "./outcome.ts";

/** One bad line among 5,000 takes 27 requests, twenty take 359: then the rest of the batch is given up. */
const MAX_REQUESTS = 64;
const MAX_EXAMPLE = 200;
const NEWLINE = 10;

/** Lines from one number up to, but without, another. */
interface Part {
  readonly from: number;
  readonly to: number;
}

/**
 * A batch that the server does not take as a whole, because of a bad line in it or because it is too large. Sent in
 * parts, the largest first, until every line is stored or refused by itself; when that takes too many requests, what is
 * left is given up. Lines that were stored before are stored again with the same values, which changes nothing.
 */
export class Bisection {
  readonly #lines: Uint8Array;
  /** Where each line begins, and where the last one ends. */
  readonly #offsets: readonly number[];
  #parts: Part[];
  #requests = 0;
  #rejectedLines = 0;
  #example = "";

  private constructor(lines: Uint8Array, partLines: number) {
    this.#lines = lines;
    this.#offsets = lineOffsets(lines);
    this.#parts = chunks({ from: 0, to: this.#offsets.length - 1 }, partLines);
  }

  /** The lines of these frames, to be sent in parts of at most `partLines` at first. */
  static async of(frames: readonly Frame[], partLines: number): Promise<Bisection> {
    const opened = await Promise.allSettled(frames.map(expandFrame));
    const intact = opened.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    const bisection = new Bisection(Buffer.concat(intact), partLines);
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
      if (this.#requests >= MAX_REQUESTS) {
        this.#reject(lines, `given up after ${MAX_REQUESTS} requests: ${this.#text(part)}`);
        this.#parts = this.#parts.filter((other) => other !== part);
        continue;
      }
      const outcome = await send(await compressLines(this.#bytes(part)), lines);
      if (outcome.kind === "retry" || outcome.kind === "misconfigured") return outcome;
      this.#parts = this.#parts.filter((other) => other !== part);
      this.#decide(part, outcome);
    }
    return undefined;
  }

  #decide(part: Part, outcome: Outcome): void {
    const lines = part.to - part.from;
    // Only the search for bad lines has a bound: a small limit of the server must not cost good ones.
    if (outcome.kind !== "tooLarge") this.#requests++;
    if (outcome.kind === "partial") this.#reject(Math.min(lines, outcome.rejectedLines), outcome.detail);
    if (outcome.kind !== "refused" && outcome.kind !== "tooLarge") return;
    if (lines > 1) this.#parts.push(...chunks(part, Math.ceil(lines / 2)));
    else this.#reject(1, `${outcome.detail}: ${this.#text(part)}`);
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

function chunks({ from, to }: Part, size: number): Part[] {
  const parts: Part[] = [];
  for (let start = from; start < to; start += size) parts.push({ from: start, to: Math.min(start + size, to) });
  return parts;
}
