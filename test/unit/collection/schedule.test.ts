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
