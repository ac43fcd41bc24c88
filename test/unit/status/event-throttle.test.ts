import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EventThrottle } from "../../../src/status/event-throttle.ts";
import { transitions, type Condition } from "../../../src/status/conditions.ts";

function condition(type: string, status: Condition["status"], reason = "AsExpected", message = ""): Condition {
  return { type, status, reason, message, lastTransitionTime: "2026-01-01T00:00:00Z" };
}

const READY = condition("Ready", "True");
const FAILED = condition("Ready", "False", "TargetUnauthorized");

test("a new status or reason is a transition, a new message or time is not", () => {
  const before = [READY, condition("Accepted", "True")];
  assert.deepEqual(transitions(before, before), []);
  const reworded = { ...READY, message: "all 2 nodes are ready", lastTransitionTime: "2026-01-02T00:00:00Z" };
  assert.deepEqual(transitions(before, [reworded]), []);
  assert.deepEqual(transitions(before, [FAILED]), [FAILED]);
  const other = { ...READY, reason: "NoDomains" };
  assert.deepEqual(transitions(before, [other]), [other]);
});

test("a new condition is a transition", () => {
  assert.deepEqual(transitions([], [READY]), [READY]);
});

test("a new valid object gets no Event, an invalid one does", () => {
  const throttle = new EventThrottle();
  const initial = [
    condition("Accepted", "True"),
    condition("Ready", "Unknown", "NoNodes"),
    condition("Overridden", "False"),
  ];
  assert.deepEqual(throttle.pending(initial), []);
  const invalid = condition("Accepted", "False", "InvalidConfig");
  assert.deepEqual(throttle.pending([invalid, ...initial.slice(1)]), [invalid]);
});

test("a failed Event is retried after a minute", () => {
  const throttle = new EventThrottle([READY]);
  throttle.record(FAILED, 0, false);
  assert.deepEqual(throttle.due([FAILED], 59_999), []);
  assert.deepEqual(throttle.due([FAILED], 60_000), [FAILED]);
});

test("a condition gets at most one Event a minute, and the last one is true", () => {
  const step = fc.record({
    afterMs: fc.integer({ min: 1_000, max: 90_000 }),
    ready: fc.constantFrom(READY, FAILED, condition("Ready", "Unknown", "Progressing")),
    overridden: fc.constantFrom(condition("Overridden", "True", "HigherPrecedence"), condition("Overridden", "False")),
    delivered: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1 }), (steps) => {
      const throttle = new EventThrottle();
      const attempts = new Map<string, number[]>();
      const reported = new Map([
        ["Ready", "NoNodes"],
        ["Overridden", "AsExpected"],
      ]);
      let now = 0;
      const reconcile = (conditions: readonly Condition[], delivered: boolean): void => {
        for (const due of throttle.due(conditions, now)) {
          throttle.record(due, now, delivered);
          attempts.set(due.type, [...(attempts.get(due.type) ?? []), now]);
          if (delivered) reported.set(due.type, due.reason);
        }
      };
      for (const { afterMs, ready, overridden, delivered } of steps) {
        now += afterMs;
        reconcile([ready, overridden], delivered);
      }
      const { ready, overridden } = steps.at(-1) ?? { ready: READY, overridden: READY };
      now += 60_000;
      reconcile([ready, overridden], true);
      assert.deepEqual(Object.fromEntries(reported), { Ready: ready.reason, Overridden: overridden.reason });
      for (const times of attempts.values())
        for (const [index, time] of times.entries()) assert.ok(time - (times[index - 1] ?? -60_000) >= 60_000);
    }),
  );
});
