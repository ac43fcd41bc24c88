import { setTimeout as sleep } from "node:timers/promises";

/** The settings of a contender, as JSON in its first argument. */
export interface LossOrder {
  /** The tag that identifies its lines. */
  readonly run: string;
  readonly url: string;
  readonly org: string;
  readonly token: string;
  /** The buckets that get every line, one target each. */
  readonly buckets: readonly string[];
  /** Whether the token of the last target cannot be read before the message "calm". */
  readonly tokenMissing: boolean;
  /** The error of the wall clock in milliseconds. */
  readonly clockAheadMs: number;
  /** The number of its first line. */
  readonly first: number;
  /** A directory that survives a restart. */
  readonly directory: string;
}

const EVERY_MS = 100;
const LINES_AT_ONCE = 20;
export function order(): LossOrder {
  return JSON.parse(process.argv[2] ?? "") as LossOrder;
}

/**
 * Makes lines and passes them to `take`, until the process is ended. Then it reports the number of lines so far, which the
 * contender is responsible for from then on.
 */
export async function makeLines(
  { run, first }: LossOrder,
  take: (lines: readonly string[]) => Promise<void> | void,
): Promise<void> {
  const enough = new AbortController();
  // The listener stays: without it the process would end as soon as it is idle.
  process.on("message", (message) => {
    if (message === "enough") enough.abort();
  });
  const beganMs = performance.now();
  for (let number = first; !enough.signal.aborted; number += LINES_AT_ONCE) {
    await take(Array.from({ length: LINES_AT_ONCE }, (_, index) => lineOf(run, number + index)));
    process.send?.(number + LINES_AT_ONCE);
    const dueMs = beganMs + ((number + LINES_AT_ONCE - first) / LINES_AT_ONCE) * EVERY_MS;
    await sleep(Math.max(0, dueMs - performance.now()));
  }
}

/** Calls a function when the faults are over. */
export function onCalm(call: () => void): void {
  process.on("message", (message) => {
    if (message === "calm") call();
  });
}

/** Resolves on SIGTERM, which means to end. */
export function ending(): Promise<unknown> {
  return new Promise((resolve) => process.once("SIGTERM", resolve));
}

function lineOf(run: string, number: number): string {
  return `loss,run=${run} number=${number}i,text="one of the lines of ${run}" ${String(Date.now())}${String(number % 1_000_000).padStart(6, "0")}`;
}

/** Returns the number of a line. */
export function numberOf(line: string): number {
  return Number(/ number=(\d+)i/.exec(line)?.[1]);
}
