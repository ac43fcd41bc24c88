import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import type { Point } from "../../scripts/demo/line-protocol-parser.ts";
import type { AgentPod } from "./support/agent-pod.ts";
import type { LogEntry } from "./support/agent-process.ts";
import { EmulatedNode } from "./support/emulated-node.ts";
import type { KubeCluster } from "./support/kube.ts";
import { until } from "./support/process.ts";
import { gapsOf, missedTicks, RecordingSink } from "./support/recording-sink.ts";
import { applyConfig, deleteConfig, target } from "./support/telemetry-config.ts";
import { startTelemetryCluster } from "./support/telemetry-cluster.ts";

// Changes of a TelemetryConfig. Every configuration has its own tag, so that each point shows its configuration. The agent
// runs as root with one capability.

const resources = new AsyncDisposableStack();
let cluster: KubeCluster;
let node: EmulatedNode;
let agent: AgentPod;
let sink: RecordingSink;
let other: RecordingSink;
/** Number of points at the beginning of the test. */
let begun: { readonly points: number; readonly otherPoints: number; readonly log: number };

before(async () => {
  sink = resources.use(await RecordingSink.start());
  other = resources.use(await RecordingSink.start());
  cluster = resources.use(await startTelemetryCluster());
  node = resources.use(await EmulatedNode.create(cluster, "node-1", { pool: "general" }));
  await node.startVm({ namespace: "prod", name: "web", labels: { team: "web" } });
  await node.startVm({ namespace: "prod-eu", name: "db", paused: true });
  await node.startVm({ namespace: "test", name: "unlabelled" });
  agent = await node.startAgent({ identity: "root" });
});
after(() => resources.disposeAsync());

beforeEach(async () => {
  await use("base");
  begun = { points: sink.points.length, otherPoints: other.points.length, log: agent.log.length };
});

/** Writes the spec of the object `default`, and waits until it is active. */
async function use(step: string, spec: Partial<Parameters<typeof applyConfig>[2]> = {}): Promise<void> {
  const since = sink.points.length;
  await configure(step, spec);
  await until(() => Promise.resolve(sink.points.slice(since).find(isOf(step))), `a point of ${step}`);
}

/** Writes the spec without waiting. */
async function configure(step: string, spec: Partial<Parameters<typeof applyConfig>[2]> = {}): Promise<void> {
  await applyConfig(cluster, "default", { targets: [target(sink)], ...spec, tags: { static: { step } } });
}

const isOf =
  (step: string) =>
  ({ tags }: Point): boolean =>
    tags.get("step") === step;

/** Points of this test. */
const points = (): readonly Point[] => sink.points.slice(begun.points);
const otherPoints = (): readonly Point[] => other.points.slice(begun.otherPoints);

function names(of: readonly Point[]): string[] {
  return [...new Set(of.map(({ tags }) => `${tags.get("namespace")}/${tags.get("name")}`))].sort();
}

function measurements(of: readonly Point[]): string[] {
  return [...new Set(of.map(({ measurement }) => measurement))].sort();
}

function missed(of: readonly Point[]): number {
  return missedTicks(of, "web", 1_000);
}

function logged(fits: (entry: LogEntry) => boolean, what: string): Promise<LogEntry> {
  return agent.logged(fits, what, begun.log);
}

test("a new interval takes effect between two cycles", async () => {
  await use("slow", { collection: { interval: "2s" } });
  await agent.run(2);
  const gaps = gapsOf(points().filter(({ tags }) => tags.get("name") === "web"));
  const seconds = gaps.map((ms) => Math.round(ms / 1_000));
  assert.deepEqual(
    seconds.filter((gap) => gap !== 1 && gap !== 2),
    [],
  );
  assert.deepEqual(seconds, seconds.toSorted(), "it changes once");
  assert.equal(seconds.at(-1), 2);
});

test("new families and a new tag take effect without losing a cycle", async () => {
  await use("families", { collection: { families: ["Metrics", "Totals"] } });
  await agent.run(2);
  assert.deepEqual(measurements(points().filter(isOf("families"))), ["vm_metrics", "vm_totals"]);
  assert.equal(missed(points()), 0);
});

test("a second target can have fewer families and replace the first without losing a cycle", async () => {
  await use("both", { targets: [target(sink), { ...target(other, "other"), families: ["Totals"] }] });
  await agent.run(2);
  assert.deepEqual(measurements(otherPoints()), ["vm_totals"]);
  assert.ok(measurements(points().filter(isOf("both"))).length > 1);

  await configure("elsewhere", { targets: [target(other, "other")] });
  await until(() => Promise.resolve(otherPoints().find(isOf("elsewhere"))), "a point elsewhere");
  await agent.run(1);
  assert.equal(missed([...points(), ...otherPoints()]), 0);
});

test("only VMs that match the filters are collected", async () => {
  for (const [step, spec, wanted] of [
    [
      "namespaces",
      { namespaces: { include: ["prod*", "test"], exclude: ["prod-*"] } },
      ["prod/web", "test/unlabelled"],
    ],
    ["labels", { vmSelector: { matchLabels: { team: "web" } } }, ["prod/web"]],
  ] as const) {
    await use(step, spec);
    await agent.run(2);
    assert.deepEqual(names(points().filter(isOf(step))), wanted);
  }
  assert.equal(missed(points()), 0);
});

test("an object of a higher priority takes over only if it selects the node", async () => {
  const spec = { targets: [target(other, "other")], priority: 10 };
  await applyConfig(cluster, "gpu", { ...spec, priority: 20, nodeSelector: { matchLabels: { pool: "gpu" } } });
  await applyConfig(cluster, "general", { ...spec, nodeSelector: { matchLabels: { pool: "general" } } });
  await logged(({ name }) => name === "general", "that the object governs");
  await agent.run(2);
  await deleteConfig(cluster, "gpu");
  await deleteConfig(cluster, "general");
  await logged(({ name }) => name === "default", "that the first governs again");
  await agent.run(2);
  assert.equal(missed([...points(), ...otherPoints()]), 0);
  assert.ok(otherPoints().length > 0);
});

for (const [how, stop] of [
  ["is suspended", () => configure("base", { state: "Suspended" })],
  ["is deleted", () => deleteConfig(cluster, "default")],
] as const)
  test(`nothing is collected while the only object ${how}`, async () => {
    await stop();
    const { time } = await logged(({ msg }) => msg.includes("nothing is collected"), "that nothing is collected");
    await until(async () => (await agent.unixConnections()) === 0 || undefined, "the connections to be closed");
    await use("again");
    const last = Math.max(...points().filter(isOf("base")).map(msOf));
    const first = Math.min(...points().filter(isOf("again")).map(msOf));
    // The cycle that was due at that moment may still run.
    assert.ok(last < Date.parse(String(time)) + 1_000 && last < first);
  });

test("an unreadable object leaves the previous configuration active", async () => {
  const families = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/collection/properties/families";
  // The CRD of a newer version, installed before its agents.
  await cluster.call(
    "PATCH",
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/telemetryconfigs.kubevirt-telemetry.io",
    {
      body: [{ op: "add", path: `${families}/items/enum/-`, value: "Latency" }],
      contentType: "application/json-patch+json",
    },
  );
  await until(
    () => configure("newer", { collection: { families: ["Metrics", "Latency"] } }).then(() => true),
    "the API server to know the newer kind",
  );
  const { level, msg } = await logged((entry) => entry["reason"] === "InvalidConfig", "what is wrong");
  assert.equal(level, "error");
  assert.match(msg, /default: spec\.collection\.families\[1\]: must be `Metrics` or `Features` /);
  await agent.run(2);
  assert.deepEqual(points().filter(isOf("newer")), []);
  assert.equal(missed(points()), 0);
});

test("a target with a forbidden Secret gets nothing, and the other target gets everything", async () => {
  const v2 = { org: "o", bucket: "b", tokenSecretRef: { name: "not-named" } };
  const locked = { name: "locked", url: sink.url, tls: { mode: "Plaintext" }, v2 };
  await configure("secret", { targets: [locked, target(other, "other")] });
  const { msg } = await logged(
    ({ target, reason }) => target === "locked" && reason === "SecretNotFound",
    "what is missing",
  );
  assert.match(
    msg,
    /^delivery failing, lines are buffered: the key `token` of the Secret `not-named` in the namespace /,
  );
  await until(() => Promise.resolve(otherPoints().find(isOf("secret"))), "a point of the other target");
  await agent.run(2);
  assert.deepEqual(points().filter(isOf("secret")), []);
  assert.equal(missed([...points(), ...otherPoints()]), 0);
});

test("without a previous configuration a missing Secret is reported as such", async () => {
  await deleteConfig(cluster, "default");
  await logged(({ msg }) => msg.startsWith("no Active TelemetryConfig"), "that nothing is collected");
  const v2 = { org: "o", bucket: "b", tokenSecretRef: { name: "influxdb" } };
  await configure("first", { targets: [{ name: "sink", url: sink.url, tls: { mode: "Plaintext" }, v2 }] });
  const { msg } = await logged(
    ({ target, reason }) => target === "sink" && reason === "SecretNotFound",
    "what is missing",
  );
  assert.match(msg, /^delivery failing, lines are buffered: the key `token` of the Secret `influxdb` /);
});

function msOf({ timestamp }: Point): number {
  return Number(timestamp / 1_000_000n);
}
