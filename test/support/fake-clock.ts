import type { Clock } from "../../src/lib/clock.ts";
import type { WakeSignal } from "../../src/lib/waker.ts";

const TURNS = 10;

/** A clock that moves only in `advance`, which wakes the sleepers that are due, and in `block`. */
export class FakeClock implements Clock {
  #now = 1_700_000_000_000;
  #monotonic = 1_000;
  /** Returns whether work is running that takes no time on this clock, such as compression. The clock waits for it. */
  isBusy: () => boolean = () => false;
  #sleepers: { at: number; wake: () => void }[] = [];

  /** A whole number, as that of the system, although a sleep may end between two. */
  now(): number {
    return Math.floor(this.#now);
  }

  monotonic(): number {
    return this.#monotonic;
  }

  get sleeping(): number {
    return this.#sleepers.length;
  }

  sleep(ms: number, signal?: WakeSignal): Promise<void> {
    if (ms <= 0 || signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const abort = (): void => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        resolve();
      };
      const wake = (): void => {
        signal?.removeEventListener("abort", abort);
        resolve();
      };
      const sleeper = { at: this.#monotonic + ms, wake };
      this.#sleepers.push(sleeper);
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  /** Lets time pass as if the process were busy: sleepers that are due wake late, at the next `advance`. */
  block(ms: number): void {
    this.#now += ms;
    this.#monotonic += ms;
  }

  /** Sets the wall clock forward, or back. No time passes. */
  step(ms: number): void {
    this.#now += ms;
  }

  /** Moves both clocks and wakes the sleepers that are due, in order. After each, lets the work that it starts run. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    await this.#settle();
    for (;;) {
      const due = this.#sleepers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#sleepers = this.#sleepers.filter((sleeper) => sleeper !== due);
      const passedMs = Math.max(0, due.at - this.#monotonic);
      this.#now += passedMs;
      this.#monotonic += passedMs;
      due.wake();
      await this.#settle();
    }
    this.#now += end - this.#monotonic;
    this.#monotonic = end;
  }

  /** Runs the promises and immediates that are due. */
  #settle(): Promise<void> {
    return new Promise((resolve) => {
      let turn = 0;
      // One promise for all turns: the test runner follows each promise, and a test may advance thousands of times.
      const next = (): void => {
        turn = this.isBusy() ? 0 : turn + 1;
        if (turn < TURNS) setImmediate(next);
        else resolve();
      };
      setImmediate(next);
    });
  }
}
