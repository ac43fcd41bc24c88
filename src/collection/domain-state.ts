/** virDomainState, in the words of the predecessor. */
const STATES = ["no state", "running", "blocked", "paused", "shutdown", "shutoff", "crashed", "suspended"];

export function stateName(state: number | undefined): string {
  return STATES[state ?? 0] ?? "no state";
}
