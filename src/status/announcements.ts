import { transitions, type Condition, type Finding } from "./conditions.ts";

/** Between two announcements of one condition. */
const APART_MS = 60_000;

/** A new object that is in order and that no node has come to yet: nothing to write home about. */
const EXPECTED: readonly Finding[] = [
  { type: "Accepted", status: "True", reason: "AsExpected", message: "" },
  { type: "Ready", status: "Unknown", reason: "NoNodes", message: "" },
  { type: "Overridden", status: "False", reason: "AsExpected", message: "" },
];

/**
 * What has been said of one object's conditions. What changes and is back within a minute is not said, what stays is said
 * when the minute is over: however much a condition flaps, the last word is true.
 */
export class Announcements {
  readonly #said: Map<string, Finding>;
  readonly #saidAtMs = new Map<string, number>();

  /** `before` are the conditions that somebody has announced already; undefined for an object without any. */
  constructor(before: readonly Finding[] = EXPECTED) {
    this.#said = new Map(before.map((finding) => [finding.type, finding]));
  }

  /** The conditions that are to be announced, sooner or later. */
  pending(conditions: readonly Condition[]): readonly Condition[] {
    return transitions([...this.#said.values()], conditions);
  }

  /** Those of them whose time has come. */
  due(conditions: readonly Condition[], nowMs: number): readonly Condition[] {
    return this.pending(conditions).filter(
      ({ type }) => nowMs - (this.#saidAtMs.get(type) ?? Number.NEGATIVE_INFINITY) >= APART_MS,
    );
  }

  /** It was announced, or, with `heard` false, it was tried in vain. */
  tried(condition: Condition, nowMs: number, heard: boolean): void {
    this.#saidAtMs.set(condition.type, nowMs);
    if (heard) this.#said.set(condition.type, condition);
  }
}
