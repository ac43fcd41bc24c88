import type { Clock } from "../lib/clock.ts";

/** A signal that aborts after a time, when the caller's signal aborts, and on dispose. */
export class Deadline implements Disposable {
  readonly #controller = new AbortController();
  readonly #done = new AbortController();
  readonly #outer: AbortSignal | undefined;
  #expired = false;

  constructor(ms: number, clock: Clock, outer?: AbortSignal) {
    this.#outer = outer;
    if (outer?.aborted) this.#abort();
    outer?.addEventListener("abort", this.#abort);
    void clock.sleep(ms, this.#done.signal).then(() => {
      if (this.#done.signal.aborted) return;
      this.#expired = true;
      this.#abort();
    });
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Whether the time was the reason for the abort. */
  get expired(): boolean {
    return this.#expired;
  }

  [Symbol.dispose](): void {
    this.#outer?.removeEventListener("abort", this.#abort);
    this.#done.abort();
    this.#abort();
  }

  readonly #abort = (): void => {
    this.#controller.abort();
  };
}
