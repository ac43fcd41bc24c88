import type { Clock } from "../src/lib/clock.ts";

const GRID_MS = 1_000;

/** A simulated clock whose sleeps end at whole seconds, so that hours of many agents pass in moments. */
export class GridClock implements Clock {
  #nowMs = 0;
  readonly #sleepers = new Map<number, Set<() => void>>();

  now(): number {
    return this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    if (ms <= 0 || signal?.aborted) return Promise.resolve();
    const at = Math.ceil((this.#nowMs + ms) / GRID_MS) * GRID_MS;
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#sleepers.get(at)?.delete(wake);
        signal?.removeEventListener("abort", wake);
        resolve();
      };
      const others = this.#sleepers.get(at) ?? new Set();
      others.add(wake);
      this.#sleepers.set(at, others);
      signal?.addEventListener("abort", wake);
    });
  }

  async advance(ms: number): Promise<void> {
    await settle();
    for (const end = this.#nowMs + ms; this.#nowMs < end;) {
      this.#nowMs += GRID_MS;
      const due = this.#sleepers.get(this.#nowMs);
      if (due === undefined) continue;
      this.#sleepers.delete(this.#nowMs);
      for (const wake of [...due]) wake();
      await settle();
    }
  }
}

/** Runs pending tasks until they sleep again. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
}
