import assert from "node:assert/strict";

/** The bound of one step of the event loop. */
const STEP_MS = 50;

/** More than V8 needs to compile the work. */
const MAX_TRIES = 6;

/**
 * Runs the work and asserts that it takes at most 50 ms of CPU in this thread. The best try counts: the first ones run code that is
 * not compiled, one may collect garbage, and a core is slower while it is shared. `what` is for the message.
 */
export function assertCheap(work: () => void, what: () => string): void {
  const tries: number[] = [];
  do {
    const before = process.threadCpuUsage();
    work();
    const { user, system } = process.threadCpuUsage(before);
    tries.push((user + system) / 1_000);
  } while (Math.min(...tries) > STEP_MS && tries.length < MAX_TRIES);
  assert.ok(Math.min(...tries) <= STEP_MS, `${tries.join(", ")} ms of CPU: ${what()}`);
}
