import { transitions, type Condition, type Finding } from "./conditions.ts";

/** Shortest time between two Events about one condition. */
const MIN_GAP_MS = 60_000;

/** The initial state of a valid object; not worth an Event. */
const INITIAL: readonly Finding[] = [
  { type: "Accepted", status: "True", reason: "AsExpected", message: "" },
  { type: "Ready", status: "Unknown", reason: "NoNodes", message: "" },
  { type: "Overridden", status: "False", reason: "AsExpected", message: "" },
];

/**
 * Limits the Events about one object's conditions to one a minute for each. A condition that changes and changes back
 * within the minute gets no Event. A change that lasts gets its Event at the end of the minute, so the last Event is
 * always true.
 */
export class EventThrottle {
  readonly #reported: Map<string, Finding>;
  readonly #attemptedAtMs = new Map<string, number>();

  /** `before` are the conditions that already have Events; undefined for an object without conditions. */
  constructor(before: readonly Finding[] = INITIAL) {
    this.#reported = new Map(before.map((finding) => [finding.type, finding]));
  }

  /** Returns the conditions that need an Event, now or later. */
  pending(conditions: readonly Condition[]): readonly Condition[] {
    return transitions([...this.#reported.values()], conditions);
  }

  /** Returns the conditions that need an Event now. */
  due(conditions: readonly Condition[], nowMs: number): readonly Condition[] {
    return this.pending(conditions).filter(
      ({ type }) => nowMs - (this.#attemptedAtMs.get(type) ?? Number.NEGATIVE_INFINITY) >= MIN_GAP_MS,
    );
  }

  /** Records an attempt; `delivered` is false if the Event could not be created. */
  record(condition: Condition, nowMs: number, delivered: boolean): void {
    this.#attemptedAtMs.set(condition.type, nowMs);
    if (delivered) this.#reported.set(condition.type, condition);
  }
}
