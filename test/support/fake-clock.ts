import type { Clock } from "../../src/lib/clock.ts";

/** A clock that moves only by `advance`, which wakes the sleepers that are due. */
export class FakeClock implements Clock {
  #now = 1_700_000_000_000;
  #monotonic = 1_000;
  #sleepers: { at: number; wake: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  get sleeping(): number {
    return this.#sleepers.length;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms <= 0 || signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const sleeper = { at: this.#monotonic + ms, wake: resolve };
      this.#sleepers.push(sleeper);
      signal?.addEventListener("abort", () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        resolve();
      });
    });
  }

  /** Lets time pass as for a busy process: sleepers that are due wake late, at the next `advance`. */
  block(ms: number): void {
    this.#now += ms;
    this.#monotonic += ms;
  }

  /** Moves both clocks and wakes the sleepers that are due, in order; runs pending tasks after each. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    await settle();
    for (;;) {
      const due = this.#sleepers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#sleepers = this.#sleepers.filter((sleeper) => sleeper !== due);
      const passedMs = Math.max(0, due.at - this.#monotonic);
      this.#now += passedMs;
      this.#monotonic += passedMs;
      due.wake();
      await settle();
    }
    this.#now += end - this.#monotonic;
    this.#monotonic = end;
  }
}

/** Runs pending promises and immediates. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}
