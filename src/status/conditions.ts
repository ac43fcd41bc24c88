import type { Static } from "typebox";
import * as Type from "typebox";
import { foreignError, foreignText } from "../lib/display-text.ts";
import { choice, keyedList, type Immutable } from "../lib/schema-types.ts";
import { MAX_MESSAGE, MAX_REASON, boundedText, generation, message, reason, time } from "./status-parts.ts";

const condition = Type.Object({
  type: boundedText("Type of the condition.", 64),
  status: choice(["True", "False", "Unknown"], "Whether the condition holds."),
  reason: reason(),
  message: message(),
  lastTransitionTime: time("When the status, not the reason, last changed."),
  observedGeneration: Type.Optional(generation("Generation of the object that the condition is about.")),
});

/** A condition in the form of the Kubernetes API conventions. */
export type Condition = Immutable<Static<typeof condition>>;

export const conditionList = (description: string) => keyedList("type", condition, { description, maxItems: 16 });

export type Finding = Omit<Condition, "lastTransitionTime">;

/**
 * Returns the findings as conditions. A condition with an unchanged status keeps its time, others get `nowMs`. Texts are made
 * printable here, because `kubectl describe` shows them as they are.
 */
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
      reason: foreignText(finding.reason, MAX_REASON),
      message: foreignError(finding.message, MAX_MESSAGE),
      lastTransitionTime: known?.status === finding.status ? known.lastTransitionTime : now,
    };
  });
}

/** Returns a key that changes when a status or reason changes, but not when only a message changes. */
export function conditionsKey(conditions: readonly Finding[]): string {
  return conditions.map(({ type, status, reason }) => `${type}=${status}/${reason}`).join(" ");
}

/** Returns the conditions of `after` whose status or reason differs from `before`. */
export function transitions(before: readonly Finding[], after: readonly Condition[]): readonly Condition[] {
  const known = new Map(before.map((finding) => [finding.type, conditionsKey([finding])]));
  return after.filter((condition) => known.get(condition.type) !== conditionsKey([condition]));
}
