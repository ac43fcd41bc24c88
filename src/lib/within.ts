import type { Clock } from "./clock.ts";
import { Waker } from "./waker.ts";

/** Resolves to the result of a promise, or to undefined after `ms` milliseconds. A result or a failure after that is ignored. */
export async function within<T>(promise: Promise<T>, ms: number, clock: Pick<Clock, "sleep">): Promise<T | undefined> {
  const waiting = new Waker();
  try {
    return await Promise.race([promise, clock.sleep(ms, waiting).then(() => undefined)]);
  } finally {
    waiting.wake();
  }
}
