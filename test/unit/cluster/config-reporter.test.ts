import assert from "node:assert/strict";
import { test } from "node:test";
import { eventOf } from "../../../src/cluster/config-reporter.ts";
import type { Condition } from "../../../src/status/conditions.ts";

const CONFIG = { name: "default", uid: "u1" };
const NOW = Date.UTC(2026, 0, 1, 12, 0, 0, 5);

const READY: Condition = {
  type: "Ready",
  status: "True",
  reason: "AsExpected",
  message: "",
  lastTransitionTime: "2026-01-01T00:00:00Z",
};

function event(type: string, status: Condition["status"], reason: string, message = "why") {
  return eventOf(CONFIG, { ...READY, type, status, reason, message }, "pod-a", NOW) as Readonly<
    Record<string, unknown>
  >;
}

test("an Event has all required fields", () => {
  assert.deepEqual(event("Ready", "False", "TargetUnauthorized", "1 of 2 nodes are not ready"), {
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: { generateName: "default-", namespace: "default" },
    eventTime: "2026-01-01T12:00:00.005000Z",
    type: "Warning",
    reason: "TargetUnauthorized",
    action: "Aggregate",
    note: "Ready is False: 1 of 2 nodes are not ready",
    regarding: {
      apiVersion: "kubevirt-telemetry.io/v1alpha1",
      kind: "TelemetryConfig",
      name: "default",
      uid: "u1",
    },
    reportingController: "kubevirt-telemetry.io/controller",
    reportingInstance: "pod-a",
  });
});

const NAMES: readonly [type: string, status: Condition["status"], reason: string, expected: string][] = [
  ["Accepted", "True", "AsExpected", "Normal Accepted"],
  ["Accepted", "False", "InvalidConfig", "Warning InvalidConfig"],
  ["Ready", "True", "AsExpected", "Normal Ready"],
  ["Ready", "False", "Stale", "Warning Stale"],
  ["Ready", "Unknown", "Progressing", "Normal Progressing"],
  ["Overridden", "True", "HigherPrecedence", "Normal HigherPrecedence"],
  ["Overridden", "False", "AsExpected", "Normal NotOverridden"],
];

for (const [type, status, reason, expected] of NAMES)
  test(`${type} ${status} with reason ${reason} is reported as ${expected}`, () => {
    const made = event(type, status, reason);
    assert.equal(`${String(made["type"])} ${String(made["reason"])}`, expected);
  });

test("the longest name of an object gives a valid name of an Event", () => {
  const { metadata } = eventOf({ ...CONFIG, name: "x".repeat(253) }, READY, "pod-a", NOW) as {
    readonly metadata: { readonly generateName: string };
  };
  assert.ok(metadata.generateName.length <= 253);
});

test("a long message in any script is cut to whole characters", () => {
  for (const character of ["x", "ä", "節", "🚀"]) {
    const { note } = event("Ready", "False", "Stale", character.repeat(1024));
    const text = String(note);
    assert.ok(Buffer.byteLength(text) <= 1024 && Buffer.byteLength(text) > 1020);
    assert.ok(text.endsWith(character));
  }
});
