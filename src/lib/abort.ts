/** Returns whether the signal has aborted. A function, because TypeScript treats `signal.aborted` as constant after a check. */
export function isAborted(signal: Pick<AbortSignal, "aborted">): boolean {
  return signal.aborted;
}
