/** Time for a call that never waits for a QEMU, after the cycle's deadline. In milliseconds. */
export const LAST_CALL_MS = 100;

/** Returns how long a cycle of this length waits for a reply before it checks why it is missing. In milliseconds. */
export function progressCheckMs(cycleMs: number): number {
  return Math.min(500, Math.max(150, cycleMs / 8));
}
