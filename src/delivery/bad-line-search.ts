import type { BatchLimits } from "../spool/batch-parts.ts";
import type { Frame } from "../spool/spool.ts";
import { Bisection, requestOf, type Send } from "./bisection.ts";
import { isNotDelivered, type NotDelivered, type Outcome } from "./outcome.ts";
import type { Protocol } from "./protocol.ts";
import type { Rejection } from "./rejection.ts";

export interface SearchOptions extends BatchLimits {
  readonly protocol: Protocol;
  /** Returns a number from 0 up to 1. */
  readonly random: () => number;
}

/** Closed connections in a row for the same lines. A balancer in front of a dead server closes some, whatever the lines are. */
const CLOSINGS = 3;

/** Returns a line from outside the batch, if there is one. */
export type OtherLine = () => Promise<Uint8Array | undefined>;

/**
 * A possible cause of a failure. Only a probe line can confirm it:
 * - lastPart: the lines of the last part cause the server error;
 * - wholeBatch: everything was rejected because all lines are bad, or because the requests are too large;
 * - target: the target accepts no line at all.
 */
type Suspicion = "lastPart" | "wholeBatch" | "target";

/**
 * Finds the bad lines of a batch by sending it in parts, also across an outage of the target. Lines are given up only if the
 * target accepts another line, the probe line. If it accepts none, the target or a setting is at fault and all lines are
 * kept.
 */
export class BadLineSearch {
  readonly frames: readonly Frame[];
  /** Time spent on requests so far. */
  durationMs = 0;
  readonly #options: SearchOptions;
  readonly #otherLine: OtherLine;
  readonly #bisection: Bisection;
  #suspicion: Suspicion | undefined;
  #serverError: NotDelivered | undefined;
  #treats500AsBadLines = false;
  /** The target accepted a line after it was suspected. From then on all lines of the batch may be bad. */
  #targetIsHealthy = false;
  /** A probe line was sent before the search was done, to notice early that the target rejects every request. */
  #probedMidway = false;
  /** A line that the target accepted. */
  #probeLine: Uint8Array | undefined;

  private constructor(
    frames: readonly Frame[],
    bisection: Bisection,
    { options, otherLine }: { readonly options: SearchOptions; readonly otherLine: OtherLine },
  ) {
    this.frames = frames;
    this.#bisection = bisection;
    this.#options = options;
    this.#otherLine = otherLine;
  }

  static async of(frames: readonly Frame[], options: SearchOptions, otherLine: OtherLine): Promise<BadLineSearch> {
    const bisection = await Bisection.of(frames, options.protocol, options);
    return new BadLineSearch(frames, bisection, { options, otherLine });
  }

  /** Whether each line is stored or given up. */
  get done(): boolean {
    return this.#bisection.done && this.#suspicion === undefined;
  }

  get rejections(): readonly Rejection[] {
    return this.#bisection.rejections;
  }

  /** From now on a plain 500 may mean that the lines of the request are bad. */
  treat500AsBadLines(): void {
    if (this.#treats500AsBadLines) return;
    this.#treats500AsBadLines = true;
    if (!this.#bisection.done) this.#suspicion = "target";
  }

  /** Notes that the target accepts lines. Returns whether the search was waiting for that. */
  targetAccepts(): boolean {
    if (this.#suspicion !== "target") return false;
    this.#suspicion = undefined;
    this.#targetIsHealthy = true;
    this.#bisection.restart();
    return true;
  }

  /** Applies the outcome of a request with the whole batch. Without `maySplit` no smaller parts are sent to find bad lines. */
  answered(outcome: Outcome, maySplit: boolean): void {
    this.#bisection.answered(outcome, maySplit);
    this.#suspectTarget();
  }

  /** Sends one request, if one is left to send. Resolves to the reason if the search cannot go on now. */
  async step(send: Send): Promise<NotDelivered | undefined> {
    if (this.#suspicion !== undefined) return this.#probe(send, this.#suspicion);
    let outcome = await this.#bisection.step(send);
    for (let again = 1; again < CLOSINGS && this.#mayBeBadLine(outcome) && outcome.isClosed === true; again++)
      outcome = await this.#bisection.step(send);
    if (outcome !== undefined && isNotDelivered(outcome)) {
      if (!this.#mayBeBadLine(outcome)) return outcome;
      this.#suspicion = "lastPart";
      this.#serverError = outcome;
    } else this.#suspectTarget();
    return undefined;
  }

  #mayBeBadLine(outcome: Outcome | undefined): outcome is NotDelivered {
    return outcome?.kind === "retry" && outcome.maybePoison === true && this.#treats500AsBadLines;
  }

  /** After too many rejections without a success, a probe line shows whether the target accepts any line. */
  #suspectTarget(): void {
    if (!this.#bisection.everythingRejected || this.#targetIsHealthy) return;
    if (this.#bisection.done || !this.#probedMidway) this.#suspicion = "wholeBatch";
    this.#probedMidway = true;
  }

  async #probe(send: Send, suspicion: Suspicion): Promise<NotDelivered | undefined> {
    const line = this.#probeLine ?? (await this.#pickProbeLine());
    const outcome = await send(await requestOf(line, this.#options.protocol));
    // Partial: the line is too old, and otherwise valid.
    if (outcome.kind === "delivered" || outcome.kind === "partial") {
      this.#probeLine = line;
      if (suspicion === "lastPart" && this.#serverError !== undefined) this.#bisection.rejectPart(this.#serverError);
      if (suspicion === "target") this.targetAccepts();
      this.#suspicion = undefined;
      return undefined;
    }
    this.#probeLine = undefined;
    this.#suspicion = "target";
    return isNotDelivered(outcome) ? outcome : acceptsNoLine(outcome);
  }

  async #pickProbeLine(): Promise<Uint8Array> {
    return (await this.#otherLine()) ?? this.#bisection.pieceAt(this.#options.random());
  }
}

function acceptsNoLine({ detail }: Exclude<Outcome, NotDelivered | { readonly kind: "delivered" }>): NotDelivered {
  const remedy = "the target accepts no line: check its settings";
  return { kind: "misconfigured", reason: "TargetRejecting", detail: `${detail} (${remedy})`, maybePoison: true };
}
