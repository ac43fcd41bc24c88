import { messageOf } from "../errors.ts";
import { compressLines, expandFrame, splitBatch, type BatchLimits } from "../spool/frame-payload.ts";
import type { Frame, LineBatch } from "../spool/spool.ts";
import { isNotDelivered, type Outcome } from "./outcome.ts";
import { rejectionsOf, type Rejection } from "./rejection.ts";

/**
 * One bad line among 5,000 takes 13 of these, and 27 requests. After as many a part that is refused is given up; parts
 * that are not are still sent, so that a good line is lost only beside a bad one.
 */
const MAX_SPLITS = 32;
const NEWLINE = 10;

/** Lines from one number up to, but without, another. */
interface Part {
  readonly from: number;
  readonly to: number;
}

export type Send = (body: Uint8Array, lines: number) => Promise<Outcome>;

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
  readonly #whole: readonly Part[];
  readonly #damaged: readonly Rejection[];
  #parts: readonly Part[] = [];
  #sent: Part | undefined;
  #splits = 0;
  #refused: Rejection[] = [];
  #passed = false;

  private constructor(lines: Uint8Array, damaged: readonly Rejection[], limits: BatchLimits) {
    this.#lines = lines;
    this.#damaged = damaged;
    this.#offsets = lineOffsets(lines);
    this.#whole = partsOf({ lines: this.#offsets.length - 1, bytes: lines }, limits);
    this.restart();
  }

  /** The lines of these frames, to be sent in parts within these limits at first. */
  static async of(frames: readonly Frame[], limits: BatchLimits): Promise<Bisection> {
    const opened = await Promise.allSettled(frames.map(expandFrame));
    const intact = opened.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    const damaged = opened.flatMap((result, index) => {
      if (result.status === "fulfilled") return [];
      return [{ lines: frames[index]?.lines ?? 0, reason: `damaged in the buffer: ${messageOf(result.reason)}` }];
    });
    return new Bisection(Buffer.concat(intact), damaged, limits);
  }

  /** Whether every line is decided. */
  get done(): boolean {
    return this.#parts.length === 0;
  }

  /** Whether the server refused everything that it got: then it may be that it would refuse anything. */
  get everythingRejected(): boolean {
    return !this.#passed && this.#refused.length > 0;
  }

  /** What was refused so far. */
  get rejections(): readonly Rejection[] {
    return [...this.#damaged, ...this.#refused];
  }

  /** Sends the next part. A setback decides nothing: the same part is sent again by the next call. */
  async step(send: Send): Promise<Outcome | undefined> {
    const part = this.#largest();
    if (part === undefined) return undefined;
    this.#sent = part;
    const outcome = await send(await compressLines(this.#bytes(part)), part.to - part.from);
    if (!isNotDelivered(outcome)) this.#decide(part, outcome);
    return outcome;
  }

  /** The part that was sent last is at fault for its setback. No good line is given up beside a bad one for that. */
  rejectPart({ detail }: { readonly detail: string }): void {
    const part = this.#sent;
    if (part === undefined) return;
    if (part.to - part.from > 1) this.#split(part);
    else this.#refuse(part, detail);
  }

  /** One of the lines, of which there must be some; `share` from 0 to 1 says which. */
  line(share: number): Uint8Array {
    const lines = this.#offsets.length - 1;
    const from = Math.min(lines - 1, Math.floor(share * lines));
    return this.#bytes({ from, to: from + 1 });
  }

  /** Nothing is decided any more. */
  restart(): void {
    this.#parts = this.#whole;
    this.#sent = undefined;
    this.#splits = 0;
    this.#refused = [];
    this.#passed = false;
  }

  #decide(part: Part, outcome: Outcome): void {
    const lines = part.to - part.from;
    switch (outcome.kind) {
      case "delivered":
        this.#pass(part, []);
        break;
      case "partial":
        this.#pass(part, rejectionsOf(Math.min(lines, outcome.rejectedLines), outcome));
        break;
      case "tooLarge":
        // Only the search for bad lines has a bound: a small limit of the server must not cost good ones.
        if (lines > 1) this.#split(part);
        else this.#refuse(part, outcome.detail);
        break;
      case "refused":
        if (lines > 1 && this.#splits++ < MAX_SPLITS) this.#split(part);
        else this.#refuse(part, outcome.detail);
        break;
      default:
    }
  }

  #pass(part: Part, refused: readonly Rejection[]): void {
    this.#passed = true;
    this.#replace(part, []);
    this.#refused.push(...refused);
  }

  #refuse(part: Part, reason: string): void {
    this.#replace(part, []);
    this.#refused.push({ lines: part.to - part.from, reason, bytes: this.#bytes(part) });
  }

  #split(part: Part): void {
    const middle = Math.ceil((part.from + part.to) / 2);
    this.#replace(part, [
      { from: part.from, to: middle },
      { from: middle, to: part.to },
    ]);
  }

  #replace(part: Part, parts: readonly Part[]): void {
    this.#parts = [...this.#parts.filter((other) => other !== part), ...parts];
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
