import type { WakeSignal } from "./waker.ts";

/** Lets callers wait for a condition, each until its own signal aborts. */
export class Notifier {
  readonly #waiting = new Set<() => void>();

  /** Resolves when `holds` returns true, which is called now and after each `notify`, or when the signal aborts. */
  async until(holds: () => boolean, signal: WakeSignal): Promise<void> {
    while (!signal.aborted && !holds()) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          this.#waiting.delete(done);
          signal.removeEventListener("abort", done);
          resolve();
        };
        this.#waiting.add(done);
        signal.addEventListener("abort", done, { once: true });
      });
    }
  }

  notify(): void {
    for (const done of [...this.#waiting]) done();
  }
}
