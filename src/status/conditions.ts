/** A condition as Kubernetes' API conventions draw it. */
export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  /** CamelCase; one of the contract's words. */
  readonly reason: string;
  /** For people; holds no secret. */
  readonly message: string;
  /** RFC 3339: when the status, not the reason, last changed. */
  readonly lastTransitionTime: string;
  readonly observedGeneration?: number;
}

export type Finding = Omit<Condition, "lastTransitionTime">;

const MAX_MESSAGE = 1024;

/** The findings as conditions: those whose status is as before keep their time, the others get `nowMs`. */
export function toConditions(
  findings: readonly Finding[],
  before: readonly Condition[] | undefined,
  nowMs: number,
): Condition[] {
  const now = new Date(nowMs).toISOString().replace(/\.\d+Z$/, "Z");
  return findings.map((finding) => {
    const known = before?.find(({ type }) => type === finding.type);
    return {
      ...finding,
      message: finding.message.slice(0, MAX_MESSAGE),
      lastTransitionTime: known?.status === finding.status ? known.lastTransitionTime : now,
    };
  });
}

/** What of conditions is a transition when it changes: the rest is wording. */
export function essence(conditions: readonly Finding[]): string {
  return conditions.map(({ type, status, reason }) => `${type}=${status}/${reason}`).join(" ");
}
