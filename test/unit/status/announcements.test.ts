import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Announcements } from "../../../src/status/announcements.ts";
import { transitions, type Condition } from "../../../src/status/conditions.ts";

function condition(type: string, status: Condition["status"], reason = "AsExpected", message = ""): Condition {
  return { type, status, reason, message, lastTransitionTime: "2026-01-01T00:00:00Z" };
}

const READY = condition("Ready", "True");
const FAILED = condition("Ready", "False", "TargetUnauthorized");

test("another status or another reason is a transition, another wording or another time is none", () => {
  const before = [READY, condition("Accepted", "True")];
  assert.deepEqual(transitions(before, before), []);
  const reworded = { ...READY, message: "all 2 nodes are ready", lastTransitionTime: "2026-01-02T00:00:00Z" };
  assert.deepEqual(transitions(before, [reworded]), []);
  assert.deepEqual(transitions(before, [FAILED]), [FAILED]);
  const other = { ...READY, reason: "NoDomains" };
  assert.deepEqual(transitions(before, [other]), [other]);
});

test("a condition that was not there before is a transition", () => {
  assert.deepEqual(transitions([], [READY]), [READY]);
});

test("of a new object only what is not to be expected is announced", () => {
  const announcements = new Announcements();
  const fine = [
    condition("Accepted", "True"),
    condition("Ready", "Unknown", "NoNodes"),
    condition("Overridden", "False"),
  ];
  assert.deepEqual(announcements.pending(fine), []);
  const invalid = condition("Accepted", "False", "InvalidConfig");
  assert.deepEqual(announcements.pending([invalid, ...fine.slice(1)]), [invalid]);
});

test("what was tried in vain is tried again, a minute later", () => {
  const announcements = new Announcements([READY]);
  announcements.tried(FAILED, 0, false);
  assert.deepEqual(announcements.due([FAILED], 59_999), []);
  assert.deepEqual(announcements.due([FAILED], 60_000), [FAILED]);
});

test("however conditions change, each is announced once a minute at most, and the last word is true", () => {
  const step = fc.record({
    afterMs: fc.integer({ min: 1_000, max: 90_000 }),
    ready: fc.constantFrom(READY, FAILED, condition("Ready", "Unknown", "Progressing")),
    overridden: fc.constantFrom(condition("Overridden", "True", "HigherPrecedence"), condition("Overridden", "False")),
    heard: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1 }), (steps) => {
      const announcements = new Announcements();
      const tries = new Map<string, number[]>();
      const heard = new Map([
        ["Ready", "NoNodes"],
        ["Overridden", "AsExpected"],
      ]);
      let now = 0;
      const look = (conditions: readonly Condition[], listens: boolean): void => {
        for (const due of announcements.due(conditions, now)) {
          announcements.tried(due, now, listens);
          tries.set(due.type, [...(tries.get(due.type) ?? []), now]);
          if (listens) heard.set(due.type, due.reason);
        }
      };
      for (const { afterMs, ready, overridden, heard: listens } of steps) {
        now += afterMs;
        look([ready, overridden], listens);
      }
      const { ready, overridden } = steps.at(-1) ?? { ready: READY, overridden: READY };
      now += 60_000;
      look([ready, overridden], true);
      assert.deepEqual(Object.fromEntries(heard), { Ready: ready.reason, Overridden: overridden.reason });
      for (const times of tries.values())
        for (const [index, time] of times.entries()) assert.ok(time - (times[index - 1] ?? -60_000) >= 60_000);
    }),
  );
});
