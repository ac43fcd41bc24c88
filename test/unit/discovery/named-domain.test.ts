import assert from "node:assert/strict";
import { test } from "node:test";
import { migrationOn } from "../../../src/discovery/named-domain.ts";

const RUNNING = { uid: "m1", sourceNode: "node-1", targetNode: "node-2", startedMs: 1_000, failed: false };
const started = { detail: "started", atMs: 1_000 };

test("the source reports the start and a failure of a migration, the target its success", () => {
  const succeeded = { ...RUNNING, endedMs: 9_000 };
  const failed = { ...succeeded, failed: true };
  const steps = [RUNNING, succeeded, failed].map((migration) =>
    ["node-1", "node-2", "node-3"].map((node) => migrationOn(node, migration)?.steps),
  );
  assert.deepEqual(steps, [
    [[started], [], undefined],
    [[started], [{ detail: "succeeded", atMs: 9_000 }], undefined],
    [[started, { detail: "failed", atMs: 9_000 }], [], undefined],
  ]);
});

test("a migration that fails in the second in which it starts has two different times", () => {
  const failed = { ...RUNNING, endedMs: 1_000, failed: true };
  assert.deepEqual(migrationOn("node-1", failed)?.steps, [started, { detail: "failed", atMs: 1_001 }]);
});

test("a migration leaves its source while it runs", () => {
  assert.equal(migrationOn("node-1", RUNNING)?.isLeaving, true);
  assert.equal(migrationOn("node-2", RUNNING)?.isLeaving, false);
  assert.equal(migrationOn("node-1", { ...RUNNING, endedMs: 9_000 })?.isLeaving, false);
});

test("a migration that fails in the second of its start has two times", () => {
  // Kubernetes has whole seconds, and two lines of a series with one time would be one.
  const steps = migrationOn("node-1", { ...RUNNING, endedMs: 1_000, failed: true })?.steps;
  assert.deepEqual(steps, [started, { detail: "failed", atMs: 1_001 }]);
});
