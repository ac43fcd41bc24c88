import assert from "node:assert/strict";
import { test } from "node:test";
import { Schedule } from "../../../src/collection/schedule.ts";

function duesOf(schedule: Schedule, ticks: readonly number[]): readonly string[] {
  return ticks.map((tick) => [...(schedule.due(tick) ?? ["all"])].join(" "));
}

test("without schedules each tick has all families", () => {
  assert.deepEqual(duesOf(new Schedule(["Metrics"], []), [0, 1, 2]), ["all", "all", "all"]);
});

test("a family is due in the first tick and then once in its number of ticks", () => {
  const schedule = new Schedule(
    ["Metrics", "Disks", "Vcpus"],
    [
      { families: ["Vcpus"], cycles: 3 },
      { families: ["Disks"], cycles: 2 },
    ],
  );
  assert.deepEqual(duesOf(schedule, [0, 1, 2, 3, 4, 5, 6]), [
    "Metrics Disks Vcpus",
    "Metrics",
    "Metrics Disks",
    "Metrics Vcpus",
    "Metrics Disks",
    "Metrics",
    "Metrics Disks Vcpus",
  ]);
});

test("a family whose tick was skipped is due in the next tick, and then again in its usual one", () => {
  const schedule = new Schedule(["Metrics", "Vcpus"], [{ families: ["Vcpus"], cycles: 3 }]);
  assert.deepEqual(duesOf(schedule, [0, 2, 5, 6, 7, 30, 31]), [
    ...["Metrics Vcpus", "Metrics", "Metrics Vcpus", "Metrics Vcpus"],
    ...["Metrics", "Metrics Vcpus", "Metrics"],
  ]);
});

test("an endpoint that was not collected gets the families that it missed in its next cycle", () => {
  const schedule = new Schedule(["Metrics", "Vcpus"], [{ families: ["Vcpus"], cycles: 3 }]);
  const [a, b] = ["a", "b"].map((endpoint) => (tick: number, isCollected: boolean): string => {
    const families = schedule.dueOf(endpoint, tick % 3 === 0 ? new Set(["Metrics", "Vcpus"]) : new Set(["Metrics"]));
    schedule.record(endpoint, families, isCollected);
    return [...(families ?? [])].join(" ");
  });
  assert.deepEqual(
    [a?.(0, true), a?.(1, true), a?.(3, false), a?.(4, false), a?.(5, true), a?.(6, true)],
    ["Metrics Vcpus", "Metrics", "Metrics Vcpus", "Metrics Vcpus", "Metrics Vcpus", "Metrics Vcpus"],
  );
  assert.equal(a?.(7, true), "Metrics");
  assert.deepEqual([b?.(7, true), b?.(8, true)], ["Metrics Vcpus", "Metrics"], "a new endpoint has all families");
  schedule.retain(new Set());
  assert.equal(b?.(8, true), "Metrics Vcpus", "nothing is kept of an endpoint that is gone");
});
