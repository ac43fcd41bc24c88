/** Time for a call that never waits for a QEMU, when the cycle's time is up. */
export const LAST_CALL_MS = 100;

/** How long a cycle of this length waits for one answer before it looks for the reason, or goes on without. */
export function progressCheckMs(cycleMs: number): number {
  return Math.min(500, Math.max(150, cycleMs / 8));
}
