import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import type { TelemetryConfigStatus } from "../../src/status/config-status.ts";
import { nodeReport, type NodeObservation } from "../../src/status/node-report.ts";
import { observation } from "../support/observation.ts";
import { ControllerProcess } from "./support/controller.ts";
import type { KubeCluster } from "./support/kube.ts";
import type { ApiObject } from "./support/kube-api.ts";
import { until } from "./support/process.ts";
import { API, CONTROLLER, NAMESPACE, startTelemetryCluster } from "./support/telemetry-cluster.ts";

const LEASE = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/${CONTROLLER}`;
const APPLY = "application/apply-patch+yaml";

const resources = new AsyncDisposableStack();
let cluster: KubeCluster;
let running: ControllerProcess[] = [];

before(async () => {
  cluster = resources.use(await startTelemetryCluster());
});
after(() => resources.disposeAsync());
afterEach(async () => {
  for (const controller of running) await controller[Symbol.asyncDispose]();
  running = [];
});

async function start(identity: string): Promise<ControllerProcess> {
  const controller = await ControllerProcess.start(cluster, identity);
  running.push(controller);
  return controller;
}

async function startLeader(identity: string): Promise<ControllerProcess> {
  const controller = await start(identity);
  await controller.leads();
  return controller;
}

/** Creates a TelemetryConfig with two targets; resolves to its UID. */
async function createConfig(name: string, spec: object = {}): Promise<string> {
  const target = { url: "https://influx.example.com", v2: { org: "o", bucket: "b" } };
  const targets = ["main", "other"].map((targetName) => ({ ...target, name: targetName }));
  const { metadata } = await cluster.call("POST", `${API}/telemetryconfigs`, {
    body: {
      apiVersion: "kubevirt-telemetry.io/v1alpha1",
      kind: "TelemetryConfig",
      metadata: { name },
      spec: { targets, ...spec },
    },
  });
  return metadata.uid;
}

/** Writes the report of a node that the object governs, as its agent does. */
async function report(node: string, config: { readonly name: string; readonly uid: string }, change = {}) {
  const about: Partial<NodeObservation> = {
    config: { ...config, observedGeneration: 1 },
    selectedBy: [config.name],
    ...change,
  };
  const object = { apiVersion: "kubevirt-telemetry.io/v1alpha1", kind: "NodeTelemetry", metadata: { name: node } };
  const path = `${API}/nodetelemetries/${node}`;
  const query = "fieldManager=kubevirt-telemetry-agent&force=true";
  await cluster.call("PATCH", `${path}?${query}`, { body: object, contentType: APPLY });
  const status = nodeReport(observation(about), undefined, Date.now());
  await cluster.call("PATCH", `${path}/status?${query}`, { body: { ...object, status }, contentType: APPLY });
}

const failing: Partial<NodeObservation> = {
  targets: [{ name: "main", state: "Failing", sinceMs: 0, reason: "TargetUnauthorized", detail: "HTTP 401" }],
};

async function statusOf(name: string): Promise<TelemetryConfigStatus | undefined> {
  const { status } = await cluster.call("GET", `${API}/telemetryconfigs/${name}`);
  return status as TelemetryConfigStatus | undefined;
}

/** Waits for a summary of nodes, such as `1/2`; resolves to the status. */
function nodesOf(name: string, nodeSummary: string, timeoutMs?: number): Promise<TelemetryConfigStatus> {
  return until(
    async () => {
      const status = await statusOf(name);
      if (status?.nodeSummary !== nodeSummary) throw new Error(JSON.stringify(status));
      return status;
    },
    `${name} to have the nodes ${nodeSummary}`,
    timeoutMs,
  );
}

/** `Warning TargetUnauthorized` of every Event on the object, oldest first. */
async function eventsOf(name: string): Promise<string[]> {
  const { items = [] } = await cluster.call("GET", "/apis/events.k8s.io/v1/namespaces/default/events");
  return (
    items as readonly (ApiObject &
      Record<"type" | "reason" | "eventTime", string> & { regarding: ApiObject["metadata"] })[]
  )
    .filter(({ regarding }) => regarding.name === name)
    .sort((a, b) => (a.eventTime < b.eventTime ? -1 : 1))
    .map(({ type, reason }) => `${type} ${reason}`);
}

/** Resolves to the rows of `kubectl get`, the titles first, each split into its columns. */
async function columns(...args: string[]): Promise<string[][]> {
  const text = await cluster.kubectl("get", ...args);
  return text
    .trim()
    .split("\n")
    .map((line) => line.split(/ {2,}/).map((column) => column.trim()));
}

test("kubectl shows the state of an object's nodes in its columns and Events", async () => {
  const uid = await createConfig("shown", { priority: 7, collection: { interval: "10s" } });
  await report("shown-a", { name: "shown", uid });
  await report("shown-b", { name: "shown", uid }, failing);
  await startLeader("shown");

  const status = await nodesOf("shown", "1/2");
  assert.deepEqual(status.nodes, { selected: 2, governed: 2, ready: 1, degraded: 1, stale: 0 });
  assert.deepEqual(status.failures, [
    { node: "shown-b", reason: "TargetUnauthorized", message: "TargetsDelivering: main: HTTP 401" },
  ]);
  const [titles = [], row = []] = await columns("tcfg", "shown");
  assert.deepEqual(titles, ["NAME", "PRIORITY", "INTERVAL", "TARGETS", "READY", "NODES", "AGE"]);
  assert.deepEqual(row.slice(0, -1), ["shown", "7", "10s", "2", "False", "1/2"]);

  await until(async () => (await eventsOf("shown")).length > 0 || undefined, "an Event");
  assert.deepEqual(await eventsOf("shown"), ["Warning TargetUnauthorized"]);
  assert.match(
    await cluster.kubectl("describe", "telemetryconfig", "shown"),
    /Warning +TargetUnauthorized .*Ready is False: 1 of 2 nodes are not ready; shown-b: TargetsDelivering: main: HTTP 401/,
  );

  await report("shown-b", { name: "shown", uid });
  await nodesOf("shown", "2/2");
  assert.deepEqual((await columns("tcfg", "shown"))[1]?.slice(0, -1), ["shown", "7", "10s", "2", "True", "2/2"]);
});

test("an overridden object has a condition and an Event", async () => {
  const uid = await createConfig("loser");
  const winner = { name: "winner", uid: await createConfig("winner", { priority: 5 }) };
  await report("contested", { name: "loser", uid });
  await startLeader("contest");
  await nodesOf("loser", "1/1");
  await report("contested", winner, { selectedBy: ["winner", "loser"] });
  await nodesOf("winner", "1/1");
  const { conditions } = await nodesOf("loser", "0/0");
  assert.equal(conditions.find(({ type }) => type === "Overridden")?.reason, "HigherPrecedence");
  await until(
    async () => (await eventsOf("loser")).includes("Normal HigherPrecedence") || undefined,
    "the Event that it is overridden",
  );
});

test("a suspended object and one without nodes have their reasons", async () => {
  await createConfig("suspended", { state: "Suspended" });
  await createConfig("nowhere", { nodeSelector: { matchLabels: { pool: "none" } } });
  await startLeader("idle-objects");
  await nodesOf("suspended", "0/0");
  await nodesOf("nowhere", "0/0");
  const reasons = async (name: string): Promise<unknown> =>
    (await statusOf(name))?.conditions.find(({ type }) => type === "Ready")?.reason;
  assert.deepEqual([await reasons("suspended"), await reasons("nowhere")], ["Suspended", "NoNodes"]);
  assert.deepEqual(await eventsOf("nowhere"), []);
});

test("of two controllers one leads, and the standby watches nothing", async () => {
  await startLeader("working");
  const second = await start("standby");
  // A candidate requests the Lease every two to five seconds.
  await new Promise((resolve) => setTimeout(resolve, 10_000));
  assert.equal(await watches("telemetryconfigs"), 1);
  assert.equal(await watches("nodetelemetries"), 1);
  assert.equal(
    second.log.some(({ msg }) => msg === "leading"),
    false,
  );
  const { spec } = await cluster.call("GET", LEASE);
  assert.equal(spec?.["holderIdentity"], "working");
});

/** Resolves to the number of open watches of a kind. */
async function watches(resource: string): Promise<number> {
  const { body } = await cluster.request("GET", "/metrics");
  const line = new RegExp(
    `^apiserver_longrunning_requests\\{[^}]*resource="${resource}"[^}]*verb="WATCH"[^}]*\\} (\\d+)`,
    "gm",
  );
  return [...(body.message ?? "").matchAll(line)].reduce((sum, [, count]) => sum + Number(count), 0);
}

test("when the leader is killed the other takes over and repeats no Event", async () => {
  const uid = await createConfig("inherited");
  await report("inherited-a", { name: "inherited", uid }, failing);
  const first = await startLeader("killed");
  const second = await start("heir");
  await nodesOf("inherited", "0/1");
  await until(async () => (await eventsOf("inherited")).length > 0 || undefined, "an Event");
  const before = await cluster.call("GET", `${API}/telemetryconfigs/inherited`);

  first.signal("SIGKILL");
  await first.exit();
  await report("inherited-b", { name: "inherited", uid });
  await second.leads();
  await nodesOf("inherited", "1/2");
  assert.deepEqual(await eventsOf("inherited"), ["Warning TargetUnauthorized"]);
  const [was, is] = [before.status as TelemetryConfigStatus, await statusOf("inherited")];
  assert.deepEqual(
    is?.conditions.map(({ lastTransitionTime }) => lastTransitionTime),
    was.conditions.map(({ lastTransitionTime }) => lastTransitionTime),
  );
});

test("a leader that shuts down releases the Lease at once", async () => {
  const first = await startLeader("leaving");
  const second = await start("next");
  assert.equal(await first.stop(), 0);
  const { spec } = await cluster.call("GET", LEASE);
  assert.notEqual(spec?.["holderIdentity"], "leaving");
  await second.leads();
});

test("after a restart of the API server the controller writes again", async () => {
  const uid = await createConfig("outage");
  const controller = await startLeader("patient");
  await nodesOf("outage", "0/0");
  const logged = controller.log.length;
  await cluster.killApiServer();
  await controller.logged(({ level }) => level === "warn", "that the API server is away", logged);
  await cluster.startApiServer();
  await report("outage-a", { name: "outage", uid });
  // A starting server also denies rights and forgets versions, after which clients use long backoffs.
  await nodesOf("outage", "1/1", 240_000);
  assert.equal(controller.log.filter(({ msg }) => msg === "started").length, 1);
  assert.equal(await controller.stop(), 0);
});

test("without changes nothing is written, and a foreign status is corrected", async () => {
  const uid = await createConfig("quiet");
  await report("quiet-a", { name: "quiet", uid });
  const controller = await startLeader("quiet");
  const status = await nodesOf("quiet", "1/1");
  const { metadata } = await cluster.call("GET", `${API}/telemetryconfigs/quiet`);
  await controller.logged(({ msg, config }) => msg === "status written" && config === "quiet", "the status");
  // A repeated report causes another reconciliation.
  await report("quiet-a", { name: "quiet", uid });
  await new Promise((resolve) => setTimeout(resolve, 12_000));
  const later = await cluster.call("GET", `${API}/telemetryconfigs/quiet`);
  assert.equal(later.metadata.resourceVersion, metadata.resourceVersion);

  await cluster.call("PATCH", `${API}/telemetryconfigs/quiet/status`, {
    body: { status: { nodeSummary: "9/9", nodes: { ready: 9 } } },
    contentType: "application/merge-patch+json",
  });
  assert.deepEqual(await nodesOf("quiet", "1/1"), status);
});
