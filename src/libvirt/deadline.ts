/** Longest delay of a timer. Node fires a longer one at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Calls `missed` after this time. Returns undefined if that is never, or in more than 24 days. */
export function setDeadline(ms: number, missed: () => void): NodeJS.Timeout | undefined {
  return ms > MAX_TIMER_MS ? undefined : setTimeout(missed, ms);
}
