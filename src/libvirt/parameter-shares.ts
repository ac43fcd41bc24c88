interface LargeReply {
  /** Parameters of its last reply beyond those that every launcher may have. */
  excess: number;
  /** What it may have of the part that all share. A call is due when it reaches `excess`. */
  credit: number;
  askedMs: number;
  /** The longer one of the last two times between calls, in milliseconds: one late cycle must not make the next one too short. */
  periodMs: number;
  lastPeriodMs: number;
}

/**
 * Divides the time for large replies among launchers. Every launcher may send some parameters in each cycle. What they send
 * beyond that has a bound for all of them together. If they need more, those who need least are called in every cycle; the
 * others get equal parts, and are called when their parts suffice.
 */
export class ParameterShares {
  readonly #large = new Map<object, LargeReply>();
  #excess = 0;

  /** Returns whether a launcher may be called now. `perSecond` is the bound for all. */
  allows(launcher: object, perSecond: number, nowMs: number): boolean {
    const large = this.#large.get(launcher);
    if (large === undefined) return true;
    const elapsedMs = nowMs - large.askedMs;
    large.periodMs = Math.max(elapsedMs, large.lastPeriodMs);
    large.lastPeriodMs = elapsedMs;
    large.askedMs = nowMs;
    const part = this.#partOf(large, perSecond);
    if (part >= large.excess) return true;
    large.credit += part;
    if (large.credit < large.excess) return false;
    large.credit -= large.excess;
    return true;
  }

  /** Returns whether a launcher is called less often than in every cycle. */
  isLimited(launcher: object, perSecond: number): boolean {
    const large = this.#large.get(launcher);
    return large !== undefined && this.#partOf(large, perSecond) < large.excess;
  }

  /** Records the parameters of a reply beyond those that every launcher may send. `askedMs` is the time of its call. */
  record(launcher: object, beyond: number, askedMs: number): void {
    const known = this.#large.get(launcher);
    // A small reply must not make room for the next large one.
    const excess = Math.floor(Math.max(beyond, (known?.excess ?? 0) / 2));
    if (excess === 0) {
      this.forget(launcher);
      return;
    }
    this.#excess += excess - (known?.excess ?? 0);
    if (known !== undefined) known.excess = excess;
    else {
      // Launchers that come together are then called in different cycles.
      const credit = excess * ((this.#large.size * GOLDEN_RATIO) % 1);
      this.#large.set(launcher, { excess, credit, askedMs, periodMs: 0, lastPeriodMs: 0 });
    }
  }

  forget(launcher: object): void {
    this.#excess -= this.#large.get(launcher)?.excess ?? 0;
    this.#large.delete(launcher);
  }

  /** Returns how many parameters beyond its own a launcher may have in a cycle; Infinity if there are enough for all. */
  #partOf({ periodMs }: LargeReply, perSecond: number): number {
    const shared = (perSecond * periodMs) / 1_000;
    // A launcher that was called once has no period yet. One that is alone has a limit of its own.
    if (periodMs === 0 || this.#large.size === 1 || this.#excess <= shared) return Number.POSITIVE_INFINITY;
    return equalPart(
      [...this.#large.values()].map(({ excess }) => excess),
      shared,
    );
  }
}

/** Multiples of it are spread evenly between whole numbers. */
const GOLDEN_RATIO = 0.618;

/** Returns the part of each that wants more than the others leave. */
function equalPart(wanted: readonly number[], available: number): number {
  let left = available;
  let takers = wanted.length;
  for (const each of wanted.toSorted((a, b) => a - b)) {
    if (each > left / takers) return left / takers;
    left -= each;
    takers--;
  }
  return Number.POSITIVE_INFINITY;
}
