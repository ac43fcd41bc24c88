import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import type { Point } from "../../scripts/demo/line-protocol-parser.ts";
import { SimulatedLauncher } from "../support/simulated-launcher.ts";
import type { AgentPod } from "./support/agent-pod.ts";
import { EmulatedNode } from "./support/emulated-node.ts";
import type { KubeCluster } from "./support/kube.ts";
import { until } from "./support/process.ts";
import { missedTicks, RecordingSink } from "./support/recording-sink.ts";
import { applyConfig, target } from "./support/telemetry-config.ts";
import { AGENT, startTelemetryCluster } from "./support/telemetry-cluster.ts";
import { applyVmi, type Vmi } from "./support/vmi.ts";

// A launcher's numbers count only for the VMI that lists its pod. The launchers are simulated; the API server is real.

const INTERVAL_MS = 1_000;
/** The longest time, besides an interval, from a VMI to its launcher's first sample. */
const NOTICE_MS = 2_000;
const ROLE = `/apis/rbac.authorization.k8s.io/v1/clusterroles/${AGENT}`;
/** In upper case, as a user may write it. */
const FIRMWARE_UUID = "0D3F1F6C-0F0E-5B0C-8F8E-2F4F5F0B7A11";

const resources = new AsyncDisposableStack();
let cluster: KubeCluster;
let sink: RecordingSink;
let node: EmulatedNode;
let agent: AgentPod;
let linksDir: string;
let victim: SimulatedLauncher;
let seeds = 0;

before(async () => {
  sink = resources.use(await RecordingSink.start());
  cluster = resources.use(await startTelemetryCluster());
  node = resources.use(await EmulatedNode.create(cluster, "node-1"));
  linksDir = await mkdtemp(path.join(tmpdir(), "l"));
  resources.defer(() => rm(linksDir, { recursive: true, force: true }));
  await applyConfig(cluster, "default", { targets: [target(sink)] });
  victim = await launch("tenant-b_vm1", FIRMWARE_UUID.toLowerCase());
  await applyVmi(cluster, { ...vm("vm1", victim), uuid: FIRMWARE_UUID });
});
after(() => resources.disposeAsync());

/** Starts a pod on the node with a libvirt daemon and this domain. It is not a launcher until a VMI lists it. */
async function launch(domain: string, uuid?: string): Promise<SimulatedLauncher> {
  const launcher = resources.use(await SimulatedLauncher.withoutDaemon({ podsDir: node.podsDir, linksDir }));
  await launcher.boot(domain, ++seeds, uuid);
  return launcher;
}

function vm(name: string, { podUid }: SimulatedLauncher): Vmi {
  return { namespace: "tenant-b", name, node: node.name, pods: { [podUid]: node.name } };
}

/** A VM's points of vm_metrics. */
function pointsOf(name: string): readonly Point[] {
  return sink.points.filter(({ measurement, tags }) => measurement === "vm_metrics" && tags.get("name") === name);
}

function firstPointOf(name: string): Promise<Point> {
  return until(() => Promise.resolve(pointsOf(name)[0]), `a point of ${name}`, 180_000);
}

interface Rule {
  readonly apiGroups: readonly string[];
}

test("before the first list of VMIs no launcher is called and nothing is written", async () => {
  const { rules } = (await cluster.call("GET", ROLE)) as unknown as { readonly rules: readonly Rule[] };
  const restrict = (kept: readonly Rule[]): Promise<unknown> =>
    cluster.call("PATCH", ROLE, { body: { rules: kept }, contentType: "application/merge-patch+json" });
  await restrict(rules.filter(({ apiGroups }) => !apiGroups.includes("kubevirt.io")));
  agent = resources.use(await node.startAgent());
  try {
    const { level } = await agent.logged(({ msg }) => /VMIs yet: launchers are not collected/.test(msg), "it waits");
    assert.equal(level, "info");
    await agent.run(3);
    assert.deepEqual([sink.points.length, victim.calls], [0, 0]);
  } finally {
    await restrict(rules);
  }
  await firstPointOf("vm1");
  await agent.logged(({ msg }) => /VMIs: their launchers are collected/.test(msg), "it collects");
});

test("a pod that no VMI lists writes no series of another VM", async () => {
  // One claims the name of a VM on this node, the other the name of a VM on another node.
  const impostors = [await launch("tenant-b_vm1"), await launch("tenant-b_vm2")];
  await applyVmi(cluster, { namespace: "tenant-b", name: "vm2", node: "node-2", pods: { "another-pod": "node-2" } });
  const begun = pointsOf("vm1").length;
  await agent.run(5);
  assert.deepEqual(
    impostors.map(({ calls }) => calls),
    [0, 0],
    "their sockets are not opened",
  );
  assert.deepEqual(pointsOf("vm2"), []);
  const points = pointsOf("vm1").slice(begun);
  assert.ok(points.length >= 3);
  assert.equal(missedTicks(points, "vm1", INTERVAL_MS), 0);
  assert.ok(pointsOf("vm1").length - begun <= 6, "one point a cycle");
  assert.deepEqual([...new Set(pointsOf("vm1").map(({ tags }) => tags.get("uuid")))], [FIRMWARE_UUID.toLowerCase()]);
  const entries = agent.log.filter(({ level, msg }) => level !== "debug" && /launcher|no statistics/.test(msg));
  assert.equal(entries.length, 2, "one entry that launchers wait, and one that they are collected");
});

test("a waiting launcher has its first sample within an interval and 2 s of its VMI", async () => {
  const launcher = await launch("tenant-b_new-vm");
  const vmi = vm("new-vm", launcher);
  // The order of KubeVirt: first a pod without a UID, then the launcher, briefly without its node.
  await applyVmi(cluster, { ...vmi, pods: { "": "" } });
  await agent.run(6);
  assert.deepEqual([launcher.calls, pointsOf("new-vm").length], [0, 0]);
  const listedMs = Date.now();
  await applyVmi(cluster, { ...vmi, pods: { [launcher.podUid]: "" } });
  const { timestamp } = await firstPointOf("new-vm");
  const waitedMs = Number(timestamp / 1_000_000n) - listedMs;
  assert.ok(waitedMs <= INTERVAL_MS + NOTICE_MS, `${waitedMs} ms`);
});

test("a launcher whose daemon starts after its VMI is sampled within an interval and 2 s", async () => {
  const launcher = resources.use(await SimulatedLauncher.withoutDaemon({ podsDir: node.podsDir, linksDir }));
  await applyVmi(cluster, vm("slow", launcher));
  await agent.run(6);
  const upMs = Date.now();
  await launcher.boot("tenant-b_slow", ++seeds);
  const { timestamp } = await firstPointOf("slow");
  const waitedMs = Number(timestamp / 1_000_000n) - upMs;
  assert.ok(waitedMs <= INTERVAL_MS + NOTICE_MS, `${waitedMs} ms`);
});

test("without the API server known launchers are collected, and new ones wait for it", async () => {
  const [begun, log] = [pointsOf("vm1").length, agent.log.length];
  await cluster.killApiServer();
  const launcher = await launch("tenant-b_new");
  await agent.logged(({ msg }) => msg.startsWith("no connection to the API server"), "the outage", log);
  await agent.run(5);
  const during = pointsOf("vm1").slice(begun);
  assert.ok(during.length >= 4);
  assert.equal(missedTicks(during, "vm1", INTERVAL_MS), 0);
  assert.deepEqual([launcher.calls, pointsOf("new").length], [0, 0]);
  await cluster.startApiServer();
  await applyVmi(cluster, vm("new", launcher));
  await firstPointOf("new");
  assert.equal(missedTicks(pointsOf("vm1").slice(begun), "vm1", INTERVAL_MS), 0);
});
