import assert from "node:assert/strict";

/** The bound of one step of the event loop. */
const STEP_MS = 50;

/**
 * Runs the work and asserts that it takes at most 50 ms of CPU. CPU time is independent of what else the machine does, except
 * for compilation and garbage collection: the best of three tries counts. `what` is for the message.
 */
export function assertCheap(work: () => void, what: () => string): void {
  const tries: number[] = [];
  do {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    tries.push((user + system) / 1_000);
  } while (Math.min(...tries) > STEP_MS && tries.length < 3);
  assert.ok(Math.min(...tries) <= STEP_MS, `${tries.join(", ")} ms of CPU: ${what()}`);
}
