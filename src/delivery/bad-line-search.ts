import { compressLines, type BatchLimits } from "../spool/frame-payload.ts";
import type { Frame } from "../spool/spool.ts";
import { Bisection, type Send } from "./bisection.ts";
import { isNotDelivered, type Outcome, type NotDelivered } from "./outcome.ts";
import type { Rejection } from "./rejection.ts";

export interface SearchOptions extends BatchLimits {
  readonly random: () => number;
  /** A line that is not of the batch, if there is one. */
  readonly otherLine: () => Promise<Uint8Array | undefined>;
}

/**
 * What can only be told when it is known whether the target takes one line by itself, the witness:
 * - part: whether the part that was sent last is to blame for a fault of the server;
 * - all: whether lines that were all refused were refused for what they are;
 * - void: nothing at all, for the witness was not taken either.
 */
type Doubt = "part" | "all" | "void";

/**
 * A batch that is sent in parts to find what is wrong with it; it outlives an outage of the target. Lines are given up only
 * if the target takes others: if it takes none then it, or a setting, is at fault, and everything is kept.
 */
export class BadLineSearch {
  readonly frames: readonly Frame[];
  durationMs = 0;
  readonly #options: SearchOptions;
  readonly #bisection: Bisection;
  #doubt: Doubt | undefined;
  #fault: NotDelivered | undefined;
  #blamesFaults = false;
  /** After all doubts the target took a witness: what it refuses from then on it refuses for good. */
  #vouched = false;
  /** A line that the target took. */
  #witness: Uint8Array | undefined;

  private constructor(frames: readonly Frame[], bisection: Bisection, options: SearchOptions) {
    this.frames = frames;
    this.#bisection = bisection;
    this.#options = options;
  }

  static async of(frames: readonly Frame[], options: SearchOptions): Promise<BadLineSearch> {
    return new BadLineSearch(frames, await Bisection.of(frames, options), options);
  }

  /** Whether every line is stored or given up. */
  get done(): boolean {
    return this.#bisection.done && this.#doubt === undefined;
  }

  get rejections(): readonly Rejection[] {
    return this.#bisection.rejections;
  }

  /** From now on faults of the server may be blamed on the lines that meet with them. */
  treat500AsBadLines(): void {
    if (this.#blamesFaults) return;
    this.#blamesFaults = true;
    if (!this.#bisection.done) this.#doubt = "void";
  }

  /** The target takes lines. Returns whether the search can go on for that. */
  targetAccepts(): boolean {
    if (this.#doubt !== "void") return false;
    this.#doubt = undefined;
    this.#vouched = true;
    this.#bisection.restart();
    return true;
  }

  /** One request, if there is still something to send. Resolves to what keeps the search from going on, if anything. */
  async step(send: Send): Promise<NotDelivered | undefined> {
    if (this.#doubt !== undefined) return this.#askWitness(send, this.#doubt);
    const outcome = await this.#bisection.step(send);
    if (outcome !== undefined && isNotDelivered(outcome)) {
      if (outcome.kind !== "retry" || outcome.maybePoison !== true || !this.#blamesFaults) return outcome;
      this.#doubt = "part";
      this.#fault = outcome;
    } else if (this.#bisection.done && this.#bisection.everythingRejected && !this.#vouched) this.#doubt = "all";
    return undefined;
  }

  async #askWitness(send: Send, doubt: Doubt): Promise<NotDelivered | undefined> {
    const witness = this.#witness ?? (await this.#pickWitness());
    const outcome = await send(await compressLines(witness), 1);
    // Partial: the line is too old, and everything else about it is right.
    if (outcome.kind === "delivered" || outcome.kind === "partial") {
      this.#witness = witness;
      if (doubt === "part" && this.#fault !== undefined) this.#bisection.rejectPart(this.#fault);
      if (doubt === "void") this.targetAccepts();
      this.#doubt = undefined;
      return undefined;
    }
    this.#witness = undefined;
    this.#doubt = "void";
    return isNotDelivered(outcome) ? outcome : refusesAll(outcome);
  }

  async #pickWitness(): Promise<Uint8Array> {
    return (await this.#options.otherLine()) ?? this.#bisection.line(this.#options.random());
  }
}

function refusesAll({ detail }: Exclude<Outcome, NotDelivered | { readonly kind: "delivered" }>): NotDelivered {
  const remedy = "it takes no line at all: check the target's settings";
  return { kind: "misconfigured", reason: "TargetRejecting", detail: `${detail} (${remedy})`, maybePoison: true };
}
