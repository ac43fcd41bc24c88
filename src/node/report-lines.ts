import type { VmReport } from "../collection/vm-report.ts";
import { unexpected } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { Router } from "../routing/router.ts";
import type { NodeState } from "./node-state.ts";

/** How long the line of an event waits for others that come with it, such as the end of a guest and of its QEMU. */
const FLUSH_MS = 100;

interface ReportLinesOptions {
  readonly router: Router;
  readonly state: NodeState;
  readonly clock: Clock;
}

/** Writes the lines of events and jobs when they arrive, and hands them to the spool without waiting for a cycle. */
export class ReportLines {
  readonly #options: ReportLinesOptions;
  #lines = 0;
  /** Whether a line has come since the last flush began. */
  #isWaiting = false;
  #flushing: Promise<void> | undefined;
  #closed = new AbortController();

  constructor(options: ReportLinesOptions) {
    this.#options = options;
  }

  /** Writes the line of a report of an endpoint. Does not throw. */
  write(report: VmReport, endpoint: string): void {
    const { router, state } = this.#options;
    for (const failure of router.routeReport(report, router.quotas.of(endpoint))) state.recordFailure(failure);
    this.#isWaiting = true;
    this.#flushing ??= this.#flush();
  }

  /** Returns the number of lines that were handed to the spool since the last call. */
  takeLines(): number {
    const lines = this.#lines;
    this.#lines = 0;
    return lines;
  }

  /** Hands over what is left. */
  async close(): Promise<void> {
    this.#closed.abort();
    await this.#flushing;
    this.#closed = new AbortController();
  }

  async #flush(): Promise<void> {
    const { router, state, clock } = this.#options;
    while (this.#isWaiting) {
      await clock.sleep(FLUSH_MS, this.#closed.signal);
      this.#isWaiting = false;
      try {
        this.#lines += await router.flush();
      } catch (error) {
        state.recordFailure(unexpected("handing lines to the buffer", error));
      }
    }
    this.#flushing = undefined;
  }
}
