import assert from "node:assert/strict";
import { test } from "node:test";
import { aggregate, type ConfigSummary } from "../../../src/status/aggregate.ts";
import { nodeReport } from "../../../src/status/node-report.ts";
import type { NodeSummary } from "../../../src/status/node-summary.ts";
import { observation } from "../../support/observation.ts";

const NOW = Date.UTC(2026, 0, 1, 12);
const CONFIG: ConfigSummary = {
  name: "default",
  uid: "u1",
  generation: 3,
  targetCount: 2,
  faults: [],
  suspended: false,
  status: undefined,
};

function node(name: string, change: Parameters<typeof observation>[0] = {}, reportedAgoMs = 0): NodeSummary {
  return { node: name, status: nodeReport(observation(change), undefined, NOW - reportedAgoMs) };
}

const failing = {
  targets: [
    { name: "main", state: "Failing", sinceMs: NOW, reason: "TargetUnauthorized", detail: "HTTP 401 unauthorized" },
  ],
} as const;

function conditions(config: ConfigSummary, nodes: readonly NodeSummary[]): Record<string, string> {
  const { conditions: found } = aggregate(config, nodes, NOW);
  return Object.fromEntries(found.map(({ type, status, reason }) => [type, `${status} ${reason}`]));
}

test("an object is ready if all its nodes are ready", () => {
  const status = aggregate(CONFIG, [node("a"), node("b")], NOW);
  assert.deepEqual(status.nodes, { selected: 2, governed: 2, ready: 2, degraded: 0, stale: 0 });
  assert.equal(status.nodeSummary, "2/2");
  assert.equal(status.targetCount, 2);
  assert.equal(status.observedGeneration, 3);
  assert.deepEqual(conditions(CONFIG, [node("a"), node("b")]), {
    Accepted: "True AsExpected",
    Ready: "True AsExpected",
    Overridden: "False AsExpected",
  });
});

test("a failing node is counted and named, with its reason", () => {
  const status = aggregate(CONFIG, [node("b", failing), node("a")], NOW);
  assert.deepEqual(status.nodes, { selected: 2, governed: 2, ready: 1, degraded: 1, stale: 0 });
  assert.deepEqual(status.failures, [
    { node: "b", reason: "TargetUnauthorized", message: "TargetsDelivering: main: HTTP 401 unauthorized" },
  ]);
  assert.equal(conditions(CONFIG, [node("b", failing), node("a")])["Ready"], "False TargetUnauthorized");
});

test("a failure that is cut keeps its remedy", () => {
  const detail = `HTTP 404 ${"x".repeat(190)}… (check the target's url, version, database, bucket and organization)`;
  const targets = [{ name: "main", state: "Failing", sinceMs: NOW, reason: "TargetNotFound", detail }] as const;
  const [failure] = aggregate(CONFIG, [node("a", { targets })], NOW).failures;
  assert.match(
    failure?.message ?? "",
    /^TargetsDelivering: main: HTTP 404 x+… \(check the target's url, .*organization\)$/,
  );
  assert.equal(failure?.message.length, 256);
});

test("at most ten failures are listed, always the same ones", () => {
  const names = Array.from({ length: 15 }, (_, index) => `node-${String(index).padStart(2, "0")}`);
  const status = aggregate(
    CONFIG,
    names.reverse().map((name) => node(name, failing)),
    NOW,
  );
  assert.equal(status.nodes.degraded, 15);
  assert.deepEqual(
    status.failures.map((failure) => failure.node),
    names.sort().slice(0, 10),
  );
});

test("a node without a report for hours is stale, not ready", () => {
  const nodes = [node("a"), node("b", {}, 3 * 3_600_000)];
  assert.deepEqual(aggregate(CONFIG, nodes, NOW).nodes, { selected: 2, governed: 2, ready: 1, degraded: 0, stale: 1 });
  assert.equal(conditions(CONFIG, nodes)["Ready"], "False Stale");
});

test("a node with an older generation is not ready yet", () => {
  const old = node("b", { config: { name: "default", uid: "u1", observedGeneration: 2 } });
  assert.equal(aggregate(CONFIG, [node("a"), old], NOW).nodeSummary, "1/2");
  assert.equal(conditions(CONFIG, [node("a"), old])["Ready"], "Unknown Progressing");
});

test("an object whose nodes another object governs is overridden and still valid", () => {
  const lost = node("a", {
    config: { name: "other", uid: "u2", observedGeneration: 1 },
    selectedBy: ["other", "default"],
  });
  assert.deepEqual(aggregate(CONFIG, [lost], NOW).nodes, { selected: 1, governed: 0, ready: 0, degraded: 0, stale: 0 });
  assert.deepEqual(conditions(CONFIG, [lost]), {
    Accepted: "True AsExpected",
    Ready: "Unknown NoNodes",
    Overridden: "True HigherPrecedence",
  });
});

test("nodes of other objects and nodes that have not reported do not count", () => {
  const other = node("a", { config: { name: "other", uid: "u2", observedGeneration: 1 }, selectedBy: ["other"] });
  const status = aggregate(CONFIG, [other, { node: "c", status: undefined }], NOW);
  assert.equal(status.nodes.governed, 0);
});

test("a report about a deleted object of the same name does not count as ready", () => {
  const former = node("a", { config: { name: "default", uid: "u0", observedGeneration: CONFIG.generation } });
  assert.equal(aggregate(CONFIG, [former], NOW).nodeSummary, "0/1");
  assert.deepEqual(conditions(CONFIG, [former]), {
    Accepted: "True AsExpected",
    Ready: "Unknown Progressing",
    Overridden: "False AsExpected",
  });
});

test("an object that its nodes cannot use still governs them", () => {
  const configFault = { reason: "SecretNotFound", message: "the Secret `influxdb` is not there" } as const;
  const fresh = node("a", { config: undefined, configFault });
  const kept = node("b", {
    config: { name: "other", uid: "u2", observedGeneration: 1 },
    selectedBy: ["default", "other"],
    configFault,
  });
  assert.deepEqual(aggregate(CONFIG, [fresh, kept], NOW).nodes, {
    selected: 2,
    governed: 2,
    ready: 0,
    degraded: 2,
    stale: 0,
  });
  assert.deepEqual(conditions(CONFIG, [fresh, kept]), {
    Accepted: "True AsExpected",
    Ready: "False SecretNotFound",
    Overridden: "False AsExpected",
  });
});

test("the status of an unreadable object has its faults", () => {
  assert.equal(
    conditions({ ...CONFIG, faults: ["spec.collection.interval: must be from 1s to 1h"] }, [])["Accepted"],
    "False InvalidConfig",
  );
});

test("a suspended object is neither ready nor failed", () => {
  assert.equal(conditions({ ...CONFIG, suspended: true }, [])["Ready"], "Unknown Suspended");
});

test("a condition keeps its time while its status is the same", () => {
  const first = aggregate(CONFIG, [node("a")], NOW - 60_000);
  const second = aggregate({ ...CONFIG, status: first }, [node("a")], NOW);
  assert.deepEqual(second.conditions, first.conditions);
  const third = aggregate({ ...CONFIG, status: second }, [node("a", failing)], NOW);
  const time = (type: string): string | undefined =>
    third.conditions.find((one) => one.type === type)?.lastTransitionTime;
  assert.equal(time("Ready"), "2026-01-01T12:00:00Z");
  assert.equal(time("Accepted"), "2026-01-01T11:59:00Z");
});
