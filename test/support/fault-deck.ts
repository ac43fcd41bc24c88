import { mulberry32 } from "../../src/simulator/synthetic-domain.ts";

/** Faults of a write request, and of the requests after it. */
export const FAULTS = {
  refuse: "connections are refused for a while",
  hang: "there is no answer",
  reset: "the connection is reset",
  slow: "the request is read slowly",
  trickle: "the lines are stored, the answer comes one byte at a time and never ends",
  lostAck: "the lines are stored, the connection is closed without an answer",
  "401": "401",
  "404": "404",
  "429 seconds": "429, Retry-After in seconds",
  "429 date": "429, Retry-After as a date",
  "503 seconds": "503, Retry-After in seconds",
  "503 date": "503, Retry-After as a date",
  "200 page": "200 with a page, as from a gateway that wants a login",
  "422 limit": "a limit of the server rejects every line as a partial write",
  garble: "the body arrives without its end",
} as const;

export type FaultKind = keyof typeof FAULTS;

export const FAULT_KINDS = Object.keys(FAULTS) as readonly FaultKind[];

/**
 * Returns faults in a random order, which the seed decides. Each kind comes once in every round, as with a deck of cards, so
 * that every kind happens.
 */
export class FaultDeck {
  readonly #round: readonly (FaultKind | undefined)[];
  /** The fault of the next request is the last item. */
  readonly #cards: (FaultKind | undefined)[] = [];
  readonly #random: () => number;

  /** `passes` is the number of requests without a fault for each fault. */
  constructor(kinds: readonly FaultKind[], { seed, passes }: { readonly seed: number; readonly passes: number }) {
    this.#random = mulberry32(seed);
    this.#round = [...kinds, ...Array.from({ length: Math.round(kinds.length * passes) }, () => undefined)];
  }

  /** Returns the fault of the next request, or undefined if it has no fault. */
  draw(): FaultKind | undefined {
    if (this.#cards.length === 0) this.#cards.push(...this.#shuffled());
    return this.#cards.pop();
  }

  /** Puts back a fault that was not possible for its request; the next request gets it. */
  putBack(fault: FaultKind | undefined): void {
    if (fault !== undefined) this.#cards.push(fault);
  }

  #shuffled(): readonly (FaultKind | undefined)[] {
    return this.#round
      .map((card) => ({ card, at: this.#random() }))
      .sort((one, other) => one.at - other.at)
      .map(({ card }) => card);
  }
}
