/** Returns whether the signal has aborted. A call, because TypeScript takes `signal.aborted` for constant after one check. */
export function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
