import type { Static } from "typebox";
import * as Type from "typebox";
import type { Immutable } from "../lib/immutable.ts";
import { MAX_MESSAGE, choice, generation, keyedList, message, reason, text, time } from "./status-parts.ts";

const condition = Type.Object({
  type: text("What is judged.", 64),
  status: choice(["True", "False", "Unknown"], "Whether it is so."),
  reason: reason(),
  message: message(),
  lastTransitionTime: time("When the status, not the reason, last changed."),
  observedGeneration: Type.Optional(generation("The generation of the object that was judged.")),
});

/** A condition as Kubernetes' API conventions draw it. */
export type Condition = Immutable<Static<typeof condition>>;

export const conditionList = (description: string) => keyedList("type", condition, description, 16);

export type Finding = Omit<Condition, "lastTransitionTime">;

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

/** Those of `after` that are not as they were before. */
export function transitions(before: readonly Finding[], after: readonly Condition[]): readonly Condition[] {
  const known = new Map(before.map((finding) => [finding.type, essence([finding])]));
  return after.filter((condition) => known.get(condition.type) !== essence([condition]));
}
