import { messageOf } from "../errors.ts";
import { lineOffsets, partsWithin, type BatchLimits, type Part } from "../spool/batch-parts.ts";
import { compressLines, expandFrame } from "../spool/gzip-member.ts";
import type { Frame } from "../spool/spool.ts";
import { isNotDelivered, type Outcome } from "./outcome.ts";
import type { LineRequest, Protocol } from "./protocol.ts";
import { rejectionsOf, type Rejection } from "./rejection.ts";

/**
 * To find one bad line among 5,000 takes 13 splits and 27 requests. After this number of splits, a rejected part is given
 * up as a whole. Parts that were not rejected are still sent, so a good line is lost only beside a bad one.
 */
const MAX_SPLITS = 32;

export type Send = (request: LineRequest) => Promise<Outcome>;

/**
 * A batch that the target does not accept as a whole, because of a bad line or because it is too large. It is sent in
 * parts, the largest first, and a rejected part is halved until each line is stored or rejected by itself. If that takes too
 * many requests, rejected parts are given up. Lines that were stored before are stored again with the same values, which
 * changes nothing.
 */
export class Bisection {
  readonly #lines: Uint8Array;
  readonly #protocol: Protocol;
  /** Where each piece begins, and where the last one ends. */
  readonly #offsets: readonly number[];
  readonly #firstParts: readonly Part[];
  readonly #damaged: readonly Rejection[];
  #parts: readonly Part[] = [];
  #sent: Part | undefined;
  #splits = 0;
  #tooLarge = 0;
  #rejected: Rejection[] = [];
  #accepted = false;

  private constructor(lines: Uint8Array, damaged: readonly Rejection[], protocol: Protocol, limits: BatchLimits) {
    this.#lines = lines;
    this.#damaged = damaged;
    this.#protocol = protocol;
    this.#offsets = protocol.split(lines);
    this.#firstParts = partsWithin(limits, this.#offsets);
    this.restart();
  }

  /** Returns the search in the lines of these frames. The limits are for the first parts. */
  static async of(frames: readonly Frame[], protocol: Protocol, limits: BatchLimits): Promise<Bisection> {
    const opened = await Promise.allSettled(frames.map(expandFrame));
    const intact = opened.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
    const damaged = opened.flatMap((result, index) => {
      if (result.status === "fulfilled") return [];
      return [{ lines: frames[index]?.lines ?? 0, reason: `damaged in the buffer: ${messageOf(result.reason)}` }];
    });
    return new Bisection(Buffer.concat(intact), damaged, protocol, limits);
  }

  /** Whether each line is stored or rejected. */
  get done(): boolean {
    return this.#parts.length === 0;
  }

  /**
   * Whether the target rejected everything so far: each line, or so large a number of requests for their size that the size is
   * not the cause. Then it may reject every line, also good ones.
   */
  get everythingRejected(): boolean {
    return !this.#accepted && (this.done ? this.#rejected.length > 0 : this.#tooLarge >= MAX_SPLITS);
  }

  /** What was rejected so far. */
  get rejections(): readonly Rejection[] {
    return [...this.#damaged, ...this.#rejected];
  }

  /** Sends the largest part. If it is not delivered, the next call sends the same part again. */
  async step(send: Send): Promise<Outcome | undefined> {
    const part = this.#largest();
    if (part === undefined) return undefined;
    this.#sent = part;
    const outcome = await send(await requestOf(this.#bytes(part), this.#protocol));
    if (!isNotDelivered(outcome)) this.#apply(outcome, part);
    return outcome;
  }

  /** The last part caused the server error: splits it, or rejects it if it is one line. This has no bound on splits. */
  rejectPart({ detail }: { readonly detail: string }): void {
    const part = this.#sent;
    if (part === undefined) return;
    if (part.to - part.from > 1) this.#split(part);
    else this.#reject(part, detail);
  }

  /** Returns the piece at `fraction` (0..1) of the batch, which must not be empty. */
  pieceAt(fraction: number): Uint8Array {
    const from = indexAt(fraction, this.#offsets.length - 1);
    return this.#bytes({ from, to: from + 1 });
  }

  /** Forgets all answers and starts with the first parts again. */
  restart(): void {
    this.#parts = this.#firstParts;
    this.#sent = undefined;
    this.#splits = 0;
    this.#tooLarge = 0;
    this.#rejected = [];
    this.#accepted = false;
  }

  #apply(outcome: Outcome, part: Part): void {
    const isSingle = part.to - part.from === 1;
    switch (outcome.kind) {
      case "delivered":
        this.#accept(part, []);
        break;
      case "partial": {
        const lines = countLines(this.#bytes(part));
        this.#accept(part, rejectionsOf(Math.min(lines, outcome.rejectedLines), outcome));
        break;
      }
      case "tooLarge":
        this.#tooLarge++;
        // Not counted as a split: a server with a small limit must not cost good lines.
        if (isSingle) this.#reject(part, outcome.detail);
        else this.#split(part);
        break;
      case "rejected":
        if (isSingle || this.#splits++ >= MAX_SPLITS) this.#reject(part, outcome.detail);
        else this.#split(part);
        break;
      default:
    }
  }

  #accept(part: Part, rejected: readonly Rejection[]): void {
    this.#accepted = true;
    this.#replace(part, []);
    this.#rejected.push(...rejected);
  }

  #reject(part: Part, reason: string): void {
    const bytes = this.#bytes(part);
    this.#replace(part, []);
    this.#rejected.push({ lines: countLines(bytes), reason, bytes });
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

/** Returns the request for these lines. */
export async function requestOf(lines: Uint8Array, protocol: Protocol): Promise<LineRequest> {
  const frame = { rawBytes: lines.length, payload: await compressLines(lines) };
  return { body: await protocol.body([frame]), lines: countLines(lines) };
}

function countLines(bytes: Uint8Array): number {
  return lineOffsets(bytes).length - 1;
}

/** Returns the index at `fraction` (0..1) of a list. */
export function indexAt(fraction: number, length: number): number {
  return Math.min(length - 1, Math.floor(fraction * length));
}
