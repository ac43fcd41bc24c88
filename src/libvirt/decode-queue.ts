/** A decoder that can pause after each step. */
export type Steps<Result> = Generator<undefined, Result>;

/** Time for decoding in one turn of the event loop. */
const TURN_MS = 15;

/** Returns the result of all steps, without a pause. */
export function finish<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/**
 * Decodes replies of several connections so that timers and other sockets do not wait. Nearly every reply is decoded at
 * once. When the time of a turn of the event loop is used up, the others continue in the next turns, step by step by turns,
 * so that a small reply does not wait for a large one.
 *
 * The caller works on a reply as soon as it is decoded, such as parsing XML. So a turn ends with the first reply that is
 * completed in it, and the work on the replies of several launchers is not done in one turn.
 */
export class DecodeQueue {
  readonly #waiting: (() => boolean)[] = [];
  readonly #now: () => number;
  #turnEndsMs: number | undefined;

  /** `now` is a monotonic clock in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /**
   * Returns the decoded reply, or a promise of it if other work runs first. Then it calls `detach` before it returns,
   * because the bytes of the reply must remain. The promise stays pending, and the bytes are freed, once `isWanted` returns false.
   * @throws what a step throws
   */
  run<Result>(
    steps: Steps<Result>,
    detach: () => void,
    isWanted: () => boolean = () => true,
  ): Result | Promise<Result> {
    const endsMs = this.#turn();
    while (this.#now() < endsMs) {
      const step = steps.next();
      if (step.done === true) return step.value;
    }
    detach();
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        if (!isWanted()) return true;
        try {
          const step = steps.next();
          if (step.done === true) resolve(step.value);
          return step.done === true;
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
          return true;
        }
      });
    });
  }

  /** Returns when the time of this turn of the event loop is used up. */
  #turn(): number {
    if (this.#turnEndsMs === undefined) {
      this.#turnEndsMs = this.#now() + TURN_MS;
      setImmediate(() => {
        this.#turnEndsMs = undefined;
        if (this.#waiting.length > 0) this.#continue(this.#turn());
      });
    }
    return this.#turnEndsMs;
  }

  #continue(endsMs: number): void {
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      if (next()) return;
      this.#waiting.push(next);
      if (this.#now() >= endsMs) return;
    }
  }
}
