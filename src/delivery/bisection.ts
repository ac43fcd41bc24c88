import { messageOf } from "../errors.ts";
import { lineOffsets, partsWithin, type BatchLimits } from "../spool/batch-parts.ts";
import { compressLines, expandFrame } from "../spool/gzip-member.ts";
import type { Frame } from "../spool/spool.ts";
import { isNotDelivered, type NamedLine, type Outcome, type Rejected } from "./outcome.ts";
import type { LineRequest, Protocol } from "./protocol.ts";
import { isExact, PieceFinder, rejectionsOf, type Rejection } from "./rejection.ts";

/**
 * To find one bad line among 5,000 takes 13 splits and 27 requests. After this number of splits of the lines of one kind, a
 * rejected part is given up as a whole. Parts that were not rejected are still sent, so a good line is lost only beside a bad one.
 */
const MAX_SPLITS = 32;
/** After this number of splits without an accepted line, each of 17 parts has a bad line, so the kind itself is bad. */
const MAX_SPLITS_WITHOUT_SUCCESS = 16;
/** The same if the server says so of each part. Only one of five parts can have a single bad line. */
const MAX_SPLITS_CONFIRMED = 4;
/** Splits for which the lines that the server names are used. If there are many bad lines, other splits find them sooner. */
const MAX_NAMED_SPLITS = 2;
/** Named lines that are sent by themselves after one split. */
const MAX_NAMED = 8;
/** Parts into which one part is split by kind. The lines of other kinds are the last one together, which is split in the same way. */
const MAX_KINDS = 16;
/** Bound on the splits of a batch of many kinds, without those by kind. */
const MAX_SPLITS_OF_BATCH = 160;
/** Bound on the splits of a batch by kind: for some hundred kinds. */
const MAX_KIND_SPLITS = 24;

export type Send = (request: LineRequest) => Promise<Outcome>;

/** Pieces of the batch that are sent together. */
interface Part {
  readonly pieces: readonly Uint8Array[];
  readonly search: KindSearch;
}

/** What is known about lines of one kind, which may be in several parts. */
interface KindSearch {
  /** Number of functions in `Protocol.kinds` that were used already, or that tell no difference between these lines. */
  level: number;
  splits: number;
  accepted: boolean;
}

/**
 * A batch that the target does not accept as a whole, because of a bad line or because it is too large. It is sent in
 * parts, the largest first. A rejected part is split by the kind of its lines, and then halved until each line is stored or
 * rejected by itself. If that takes too many requests, rejected parts are given up. Lines that were stored before are stored
 * again with the same values, which changes nothing.
 */
export class Bisection {
  readonly #protocol: Protocol;
  readonly #pieces: readonly Uint8Array[];
  readonly #firstParts: readonly (readonly Uint8Array[])[];
  readonly #damaged: readonly Rejection[];
  #parts: readonly Part[] = [];
  #sent: Part | undefined;
  #splits = 0;
  #kindSplits = 0;
  #tooLarge = 0;
  #rejected: Rejection[] = [];
  #accepted = false;

  private constructor(lines: Uint8Array, damaged: readonly Rejection[], protocol: Protocol, limits: BatchLimits) {
    const offsets = protocol.split(lines);
    this.#damaged = damaged;
    this.#protocol = protocol;
    this.#pieces = offsets.slice(1).map((end, index) => lines.subarray(offsets[index], end));
    this.#firstParts = partsWithin(limits, offsets).map(({ from, to }) => this.#pieces.slice(from, to));
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
   * Whether the target rejected everything so far: each line, or more parts than a few bad lines explain. It may reject good lines too.
   */
  get everythingRejected(): boolean {
    const isMidway = Math.max(this.#tooLarge, this.#splits) >= MAX_SPLITS;
    return !this.#accepted && (this.done ? this.#rejected.length > 0 : isMidway);
  }

  /** What was rejected so far. */
  get rejections(): readonly Rejection[] {
    return [...this.#damaged, ...this.#rejected];
  }

  /** Applies the outcome of a request with the whole batch. Without `maySplit` no smaller parts are sent to find bad lines. */
  answered(outcome: Outcome, maySplit: boolean): void {
    // A damaged frame was in the request, perhaps.
    if (this.#damaged.length > 0) return;
    const whole = { pieces: this.#pieces, search: newSearch(0) };
    this.#parts = [whole];
    this.#apply(outcome, whole, maySplit);
  }

  /** Sends the largest part. If it is not delivered, the next call sends the same part again. */
  async step(send: Send): Promise<Outcome | undefined> {
    const part = this.#largest();
    if (part === undefined) return undefined;
    this.#sent = part;
    const outcome = await send(await requestOf(Buffer.concat(part.pieces), this.#protocol));
    if (!isNotDelivered(outcome)) this.#apply(outcome, part, true);
    return outcome;
  }

  /** The last part caused the server error: splits it, or rejects it if it is one line. This has no bound on splits. */
  rejectPart({ detail }: { readonly detail: string }): void {
    const part = this.#sent;
    if (part === undefined) return;
    if (part.pieces.length > 1) this.#halve(part);
    else this.#reject(part, detail);
  }

  /** Returns the piece at `fraction` (0..1) of the batch, which must not be empty. */
  pieceAt(fraction: number): Uint8Array {
    return this.#pieces[indexAt(fraction, this.#pieces.length)] ?? new Uint8Array();
  }

  /** Forgets all answers and starts with the first parts again. */
  restart(): void {
    this.#parts = this.#firstParts.map((pieces) => ({ pieces, search: newSearch(0) }));
    this.#sent = undefined;
    this.#splits = 0;
    this.#kindSplits = 0;
    this.#tooLarge = 0;
    this.#rejected = [];
    this.#accepted = false;
  }

  #apply(outcome: Outcome, part: Part, maySplit: boolean): void {
    switch (outcome.kind) {
      case "delivered":
        this.#accept(part, []);
        break;
      case "partial": {
        const rejections = rejectionsOf(part.pieces, outcome);
        part.search.accepted = this.#accepted = true;
        // Smaller parts show which lines were rejected, if the server does not name them.
        const isEnough = rejections.every(isExact) || outcome.isAtLimit === true || !maySplit;
        if (isEnough || !this.#split(part)) this.#accept(part, rejections);
        break;
      }
      case "tooLarge":
        this.#tooLarge++;
        // Not counted as a split: a server with a small limit must not cost good lines.
        if (part.pieces.length > 1) this.#halve(part);
        else this.#reject(part, outcome.detail);
        break;
      case "rejected":
        if (!this.#split(part, outcome)) this.#reject(part, outcome.detail);
        break;
      default:
    }
  }

  #accept(part: Part, rejected: readonly Rejection[]): void {
    part.search.accepted = this.#accepted = true;
    this.#replace(part, []);
    this.#rejected.push(...rejected);
  }

  #reject(part: Part, reason: string): void {
    const bytes = Buffer.concat(part.pieces);
    this.#replace(part, []);
    this.#rejected.push({ lines: countLines(bytes), reason, bytes });
  }

  /** Splits a part as the answer suggests: named lines, kinds, or halves. Returns false if it is one line, or after too many splits. */
  #split(part: Part, { named = [], everyLine }: Pick<Rejected, "named" | "everyLine"> = {}): boolean {
    const { pieces, search } = part;
    if (pieces.length === 1) return false;
    const bad = search.splits < MAX_NAMED_SPLITS ? this.#find(pieces, named) : [];
    const kinds = bad.length > 0 ? undefined : this.#kindsOf(part);
    if (kinds !== undefined) {
      this.#replace(part, kinds);
      return true;
    }
    const max = everyLine === true ? MAX_SPLITS_CONFIRMED : MAX_SPLITS_WITHOUT_SUCCESS;
    if (this.#splits >= MAX_SPLITS_OF_BATCH || search.splits >= (search.accepted ? MAX_SPLITS : max)) return false;
    search.splits++;
    this.#splits++;
    if (bad.length === 0) this.#halve(part);
    else {
      const others = pieces.filter((piece) => !bad.includes(piece));
      this.#replace(
        part,
        [others, ...bad.map((piece) => [piece])]
          .filter(({ length }) => length > 0)
          .map((some) => ({ pieces: some, search })),
      );
    }
    return true;
  }

  #find(pieces: readonly Uint8Array[], named: readonly NamedLine[]): readonly Uint8Array[] {
    if (named.length === 0) return [];
    const finder = new PieceFinder(pieces);
    return [...new Set(named.slice(0, MAX_NAMED).flatMap((line) => finder.find(line) ?? []))];
  }

  /** Returns the part in parts by the kind of their lines, or undefined if all are of one kind, or after too many such splits. */
  #kindsOf({ pieces, search }: Part): readonly Part[] | undefined {
    if (this.#kindSplits >= MAX_KIND_SPLITS) return undefined;
    for (
      let kindOf = this.#protocol.kinds[search.level];
      kindOf !== undefined;
      kindOf = this.#protocol.kinds[search.level]
    ) {
      search.level++;
      const groups = [...Map.groupBy(pieces, kindOf).values()].toSorted((one, other) => other.length - one.length);
      if (groups.length === 1) continue;
      this.#kindSplits++;
      const parts = groups.map((some) => ({ pieces: some, search: newSearch(search.level) }));
      // The others may be of several kinds, so their split begins with the same function.
      const others = groups.slice(MAX_KINDS - 1).flat();
      if (others.length === 0) return parts;
      return [...parts.slice(0, MAX_KINDS - 1), { pieces: others, search: newSearch(search.level - 1) }];
    }
    return undefined;
  }

  #halve(part: Part): void {
    const { pieces, search } = part;
    const middle = Math.ceil(pieces.length / 2);
    this.#replace(part, [
      { pieces: pieces.slice(0, middle), search },
      { pieces: pieces.slice(middle), search },
    ]);
  }

  #replace(part: Part, parts: readonly Part[]): void {
    this.#parts = [...this.#parts.filter((other) => other !== part), ...parts];
  }

  #largest(): Part | undefined {
    let largest: Part | undefined;
    for (const part of this.#parts)
      if (largest === undefined || part.pieces.length > largest.pieces.length) largest = part;
    return largest;
  }
}

function newSearch(level: number): KindSearch {
  return { level, splits: 0, accepted: false };
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
