import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Point } from "../../scripts/demo/line-protocol-parser.ts";
import { AGENT, ChartCluster, NAMESPACE } from "./support/node/chart-cluster.ts";
import type { KubeNode } from "./support/node/kube-node.ts";
import { launcherArchive } from "./support/node/launcher-image.ts";
import { migrateThereAndBack } from "./support/node/launcher-migration.ts";
import { LauncherVm } from "./support/node/launcher-vm.ts";
import { podsOf, isReady } from "./support/node/pods.ts";
import { until } from "./support/process.ts";
import { gapsOf, RecordingSink } from "./support/recording-sink.ts";
import { applyConfig, target } from "./support/telemetry-config.ts";

// VMs in real launcher pods on two nodes: a kubelet runs the launchers, each of which has a real libvirt and a real QEMU.

/** The default. */
const INTERVAL_MS = 5_000;
const PROD = "prod";
/** So slow that a guest is on both nodes for some cycles. */
const MIB_PER_SECOND = 6;

interface LogEntry {
  readonly time: string;
  readonly level: string;
  readonly msg: string;
}

const resources = new AsyncDisposableStack();
let cluster: ChartCluster;
let sink: RecordingSink;
let nodes: readonly [KubeNode, KubeNode];
/** A VM on each node from the beginning to the end. Its points show when the agent of the node had its cycles. */
let old: readonly LauncherVm[];
/** VMs that start later. */
let fresh: readonly LauncherVm[] = [];

before(async () => {
  cluster = resources.use(await ChartCluster.start());
  await cluster.install();
  nodes = [cluster.node, resources.use(await cluster.addNode("node-b"))];
  const image = await launcherArchive(cluster.kube.directory);
  for (const node of nodes) await node.importImage(image);
  await until(async () => {
    const agents = await podsOf(cluster.kube, NAMESPACE, AGENT);
    return (agents.length === nodes.length && agents.every(isReady)) || undefined;
  }, "an agent on each node");
  sink = resources.use(await RecordingSink.start({ address: cluster.hostAddress }));
  const collection = { interval: `${INTERVAL_MS}ms` };
  const tags = { vmLabels: [{ key: "app" }] };
  await applyConfig(cluster.kube, "default", { collection, tags, targets: [target(sink)] });
  old = await Promise.all(nodes.map((node) => start(`old-${node.name}`, node)));
  for (const { name } of old) await firstPointOf(name);
});
after(() => resources.disposeAsync());

function start(name: string, node: KubeNode, uuid?: string): Promise<LauncherVm> {
  const vm = { namespace: PROD, name, labels: { app: "shop" }, ...(uuid !== undefined && { uuid }) };
  return LauncherVm.start(cluster.kube, node, vm);
}

/** Returns the points of a VM in the order of time. */
function pointsOf(name: string, measurement = "vm_metrics"): readonly Point[] {
  return sink.points
    .filter((point) => point.measurement === measurement && point.tags.get("name") === name)
    .sort((a, b) => Number(a.timestamp - b.timestamp));
}

function timeOf({ timestamp }: Point): number {
  return Number(timestamp / 1_000_000n);
}

function firstPointOf(name: string, sinceMs = 0): Promise<Point> {
  return until(() => Promise.resolve(pointsOf(name).find((point) => timeOf(point) > sinceMs)), `a point of ${name}`);
}

/** Waits until the agents of both nodes have had this number of cycles from now on. */
async function cycles(count: number): Promise<void> {
  const before = new Map(old.map(({ name }) => [name, pointsOf(name).length]));
  await until(
    () =>
      Promise.resolve(old.every(({ name }) => pointsOf(name).length >= (before.get(name) ?? 0) + count) || undefined),
    `${count} cycles`,
  );
}

/** Returns by how much the cycles of a node were late at most since a time, in milliseconds. */
function latenessOf(node: KubeNode, sinceMs: number): number {
  const points = pointsOf(`old-${node.name}`).filter((point) => timeOf(point) >= sinceMs - INTERVAL_MS);
  return Math.max(0, ...gapsOf(points).map((gap) => gap - INTERVAL_MS));
}

/** Resolves to the warnings and errors in the logs of all agents since a time. */
async function warningsSince(sinceMs: number): Promise<string[]> {
  const logs = `kubectl --namespace ${NAMESPACE} logs --selector ${AGENT} --tail=-1`;
  const lines = (await cluster.shell.run(logs)).trim().split("\n");
  return lines.filter((line) => {
    const { time, level, msg } = JSON.parse(line) as LogEntry;
    // A guest that boots has no driver for its memory yet.
    return Date.parse(time) >= sinceMs && level !== "info" && !msg.startsWith("values missing");
  });
}

test("a VM in a launcher pod has points with the names of its VMI and of its devices", async () => {
  for (const [index, { name, uuid }] of old.entries()) {
    const node = nodes[index]?.name;
    const tags = { VMID: "1", name, uuid, namespace: PROD, node, app: "shop" };
    assert.deepEqual(Object.fromEntries((await firstPointOf(name)).tags), tags);
    await until(() => Promise.resolve(pointsOf(name, "vm_totals")[0]), "statistics of QEMU");
    const devices = pointsOf(name, "vm_devices").map(({ tags }) => [
      tags.get("device"),
      tags.get("network") ?? tags.get("volume"),
    ]);
    const names = [...new Set(devices.map((device) => device.join(" ")))].sort();
    assert.deepEqual(names, ["tap0 default", "vda rootdisk", "vdb cloudinitdisk"]);
  }
});

test("six VMs that start at once have their first points in time, and cause no warning", async () => {
  const sinceMs = Date.now();
  const names = Array.from({ length: 6 }, (_, index) => `new-${index}`);
  fresh = await Promise.all(names.map((name, index) => start(name, nodes[index % 2 === 0 ? 0 : 1])));
  for (const { name, launcher, runsSinceMs } of fresh) {
    const waited = timeOf(await firstPointOf(name)) - runsSinceMs;
    const limit = INTERVAL_MS + 2_000 + latenessOf(launcher.node, sinceMs);
    assert.ok(waited <= limit, `${name}: ${waited} ms, not ${limit}`);
  }
  await cycles(1);
  assert.deepEqual(await warningsSince(sinceMs), []);
});

test("VMs that power off, are stopped or lose their pod by force leave no points, volumes or warnings", async () => {
  const sinceMs = Date.now();
  const [off, stopped, killed] = fresh;
  assert.ok(off !== undefined && stopped !== undefined && killed !== undefined);
  await Promise.all([off.powerOff(), stopped.stop(), killed.stop({ force: true })]);
  const endedMs = Date.now();
  await cycles(2);
  for (const { name, launcher } of [off, stopped, killed]) {
    assert.deepEqual(
      pointsOf(name).filter((point) => timeOf(point) > endedMs),
      [],
    );
    await launcher.volumesRemoved();
  }
  assert.deepEqual(await warningsSince(sinceMs), []);
});

test("a VM that restarts continues its series", async () => {
  const sinceMs = Date.now();
  const vm = fresh.at(-1);
  assert.ok(vm !== undefined);
  const { tags } = await firstPointOf(vm.name);
  await vm.stop();
  const { runsSinceMs } = await start(vm.name, vm.launcher.node, vm.uuid);
  assert.deepEqual((await firstPointOf(vm.name, runsSinceMs)).tags, tags);
  assert.deepEqual(await warningsSince(sinceMs), []);
});

test("a VM that migrates live there and back has one point an interval, from exactly one node", async (t) => {
  const [here, there] = nodes;
  const vm = await start("migrant", here);
  await firstPointOf(vm.name);
  const sinceMs = Date.now();
  await migrateThereAndBack(vm, there, MIB_PER_SECOND);
  await cycles(2);
  const points = pointsOf(vm.name).filter((point) => timeOf(point) > sinceMs);
  const sampledOn = points.map(({ tags }) => tags.get("node") ?? "");
  const path = sampledOn.filter((node, index) => node !== sampledOn[index - 1]);
  assert.deepEqual(path, [here.name, there.name, here.name]);
  const gaps = gapsOf(points);
  t.diagnostic(`intervals of ${gaps.join(", ")} ms`);
  assert.equal(gaps.length, points.length - 1, "two points for one instant");
  // The cycles of two nodes are not at the same time.
  const limit = 2 * INTERVAL_MS + Math.max(...nodes.map((node) => latenessOf(node, sinceMs)));
  assert.ok(Math.max(...gaps) <= limit, `not more than ${limit} ms`);
  assert.deepEqual(await warningsSince(sinceMs), []);
});
