import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { CONFIGS, ControllerBench, FAILING, NODES } from "../../support/controller-bench.ts";

let bench: ControllerBench;

beforeEach(() => {
  bench = new ControllerBench();
});
afterEach(() => bench.end());

test("the status of an object summarizes its nodes", async () => {
  bench.putConfig("default");
  bench.putNode("a");
  bench.putNode("b", FAILING);
  bench.lead();
  await bench.clock.advance(1_000);
  const status = bench.status();
  assert.deepEqual(status?.nodes, { selected: 2, governed: 2, ready: 1, degraded: 1, stale: 0 });
  assert.equal(status.targetCount, 1);
  assert.equal(bench.condition("Ready")?.reason, "TargetUnauthorized");
});

test("the status is applied with force by the controller's field manager", async () => {
  bench.putConfig("default");
  bench.lead();
  await bench.clock.advance(1_000);
  const [patch] = bench.client.of("PATCH", "/status");
  assert.equal(patch?.path, `${CONFIGS}/default/status`);
  assert.deepEqual(patch.query, { fieldManager: "kubevirt-telemetry-controller", force: true });
  const { status, ...identity } = patch.body as { readonly status: object };
  assert.deepEqual(identity, {
    apiVersion: "kubevirt-telemetry.io/v1alpha1",
    kind: "TelemetryConfig",
    metadata: { name: "default" },
  });
  assert.deepEqual(Object.keys(status).sort(), [
    "conditions",
    "failures",
    "nodeSummary",
    "nodes",
    "observedGeneration",
    "targetCount",
  ]);
});

test("without a change nothing is written", async () => {
  bench.putConfig("default");
  bench.putNode("a");
  bench.lead();
  await bench.clock.advance(3_600_000);
  assert.equal(bench.writes, 1);
});

test("a controller that takes over repeats no status and no Event", async () => {
  bench.putConfig("default");
  bench.putNode("a", FAILING);
  bench.lead();
  await bench.clock.advance(60_000);
  await bench.end();
  assert.deepEqual(bench.events, ["Warning TargetUnauthorized"]);
  bench.lead();
  await bench.clock.advance(600_000);
  assert.equal(bench.writes, 1);
  assert.equal(bench.events.length, 1);
});

test("a change is written within a second, and the next one of the object after ten seconds", async () => {
  bench.putConfig("default");
  bench.lead();
  await bench.clock.advance(60_000);
  assert.equal(bench.writes, 1);
  bench.putNode("a");
  await bench.clock.advance(1_000);
  assert.equal(bench.writes, 2);
  for (let second = 0; second < 60; second++) {
    bench.putNode(`b${second}`);
    await bench.clock.advance(1_000);
  }
  assert.equal(bench.writes, 8);
  await bench.clock.advance(10_000);
  assert.equal(bench.status()?.nodes.governed, 61);
});

test("objects do not wait for each other", async () => {
  bench.putConfig("default");
  bench.putConfig("other", { uid: "u2" });
  bench.lead();
  await bench.clock.advance(60_000);
  bench.putNode("a");
  await bench.clock.advance(1_000);
  bench.putNode("b", { selectedBy: ["other"], config: { name: "other", uid: "u2", observedGeneration: 3 } });
  await bench.clock.advance(1_000);
  assert.equal(bench.status("default")?.nodeSummary, "1/1");
  assert.equal(bench.status("other")?.nodeSummary, "1/1");
});

test("a node that moves to another object is counted there only", async () => {
  bench.putConfig("default");
  bench.putConfig("other", { uid: "u2" });
  bench.putNode("a");
  bench.lead();
  await bench.clock.advance(60_000);
  bench.putNode("a", { selectedBy: ["other"], config: { name: "other", uid: "u2", observedGeneration: 3 } });
  await bench.clock.advance(1_000);
  assert.equal(bench.status("default")?.nodeSummary, "0/0");
  assert.equal(bench.status("other")?.nodeSummary, "1/1");
});

test("a deleted node is not counted", async () => {
  bench.putConfig("default");
  bench.putNode("a");
  bench.lead();
  await bench.clock.advance(60_000);
  bench.client.objects.delete(NODES, "a");
  await bench.clock.advance(1_000);
  assert.equal(bench.status()?.nodeSummary, "0/0");
});

test("a silent node becomes stale within minutes, without a change of an object", async () => {
  bench.putConfig("default");
  bench.putNode("a");
  bench.lead();
  await bench.clock.advance(2.5 * 3_600_000);
  assert.equal(bench.status()?.nodes.stale, 0);
  await bench.clock.advance(300_000);
  assert.equal(bench.status()?.nodes.stale, 1);
  assert.equal(bench.condition("Ready")?.reason, "Stale");
});

test("a new generation is not ready before its nodes use it", async () => {
  bench.putConfig("default");
  bench.putNode("a");
  bench.lead();
  await bench.clock.advance(60_000);
  bench.putConfig("default", { generation: 4 });
  await bench.clock.advance(1_000);
  assert.equal(bench.status()?.observedGeneration, 4);
  assert.equal(bench.condition("Ready")?.reason, "Progressing");
  bench.putNode("a", { config: { name: "default", uid: "u1", observedGeneration: 4 } });
  await bench.clock.advance(10_000);
  assert.equal(bench.condition("Ready")?.status, "True");
});

test("an object that this version cannot read has a fault and the number of its targets", async () => {
  const targets = [{ name: "a", url: "ftp://a", v4: {} }];
  bench.putConfig("default", { spec: { targets, collection: { interval: "soon" } } });
  bench.lead();
  await bench.clock.advance(1_000);
  assert.equal(bench.condition("Accepted")?.reason, "InvalidConfig");
  assert.match(bench.condition("Accepted")?.message ?? "", /spec\.collection\.interval: /);
  assert.equal(bench.status()?.targetCount, 1);
  assert.deepEqual(bench.events, ["Warning InvalidConfig"]);
});

test("a status that another client changed is corrected", async () => {
  bench.putConfig("default");
  bench.putNode("a");
  bench.lead();
  await bench.clock.advance(60_000);
  const good = bench.status();
  bench.putConfig("default", { status: { ...good, nodeSummary: "9/9" } });
  await bench.clock.advance(1_000);
  assert.deepEqual(bench.status(), good);
});

test("a replaced object gets a status of its own", async () => {
  bench.putConfig("default");
  bench.putNode("a", FAILING);
  bench.lead();
  await bench.clock.advance(60_000);
  bench.client.objects.delete(CONFIGS, "default");
  await bench.clock.advance(1_000);
  bench.putConfig("default", { uid: "u9", generation: 1 });
  const madeAt = bench.clock.now();
  await bench.clock.advance(1_000);
  assert.equal(bench.status()?.observedGeneration, 1);
  const accepted = Date.parse(bench.condition("Accepted")?.lastTransitionTime ?? "");
  assert.ok(accepted >= madeAt - 1_000, "the times are its own");
});

test("a new and valid object causes no Event", async () => {
  bench.putConfig("default");
  bench.lead();
  await bench.clock.advance(120_000);
  assert.deepEqual(bench.events, []);
});

test("transitions of an object are reported as Events", async () => {
  bench.putConfig("default");
  bench.lead();
  await bench.clock.advance(60_000);
  bench.putNode("a");
  await bench.clock.advance(60_000);
  bench.putNode("a", FAILING);
  await bench.clock.advance(60_000);
  bench.putNode("a", { selectedBy: ["other", "default"], config: { name: "other", uid: "u2", observedGeneration: 1 } });
  await bench.clock.advance(60_000);
  assert.deepEqual(bench.events, [
    "Normal Ready",
    "Warning TargetUnauthorized",
    "Normal NoNodes",
    "Normal HigherPrecedence",
  ]);
});

test("a flapping condition causes an Event a minute at most, and its last state has one", async () => {
  bench.putConfig("default");
  bench.putNode("a");
  bench.lead();
  await bench.clock.advance(60_000);
  assert.deepEqual(bench.events, ["Normal Ready"]);
  for (let flap = 0; flap < 30; flap++) {
    bench.putNode("a", flap % 2 === 0 ? FAILING : {});
    await bench.clock.advance(10_000);
  }
  assert.ok(bench.events.length <= 6, bench.events.join());
  bench.putNode("a", FAILING);
  await bench.clock.advance(80_000);
  assert.equal(bench.events.at(-1), "Warning TargetUnauthorized");
});

test("without the reports no status is computed", async () => {
  bench.putConfig("default");
  bench.putNode("a");
  bench.client.fault = ({ path }) => (path === NODES ? "lost" : undefined);
  bench.lead();
  await bench.clock.advance(600_000);
  assert.equal(bench.writes, 0);
  bench.client.fault = () => undefined;
  await bench.clock.advance(60_000);
  assert.equal(bench.status()?.nodeSummary, "1/1");
});

test("a controller with stale watches does not report nodes as stale", async () => {
  bench.putConfig("default");
  bench.putNode("a");
  bench.lead();
  await bench.clock.advance(60_000);
  bench.client.fault = ({ path, method = "GET" }) => (path === NODES && method === "GET" ? "lost" : undefined);
  bench.client.breakWatches();
  await bench.clock.advance(4 * 3_600_000);
  assert.equal(bench.status()?.nodes.stale, 0);
});
