import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Point } from "../../scripts/demo/line-protocol-parser.ts";
import type { AgentPod } from "./support/agent-pod.ts";
import { EmulatedNode } from "./support/emulated-node.ts";
import type { KubeCluster } from "./support/kube.ts";
import type { Launcher } from "./support/launcher.ts";
import { until } from "./support/process.ts";
import { gapsOf, RecordingSink } from "./support/recording-sink.ts";
import { applyConfig, target } from "./support/telemetry-config.ts";
import { startTelemetryCluster } from "./support/telemetry-cluster.ts";
import { applyVmi, type Vmi } from "./support/vmi.ts";

// Real live migrations between the daemons of two emulated nodes, with KubeVirt's changes of the VMI.

const INTERVAL_MS = 1_000;
/** Slow enough that the guest is on both nodes for some cycles. */
const SLOW = { memoryMiB: 1_536, mibPerSecond: 1 };

const resources = new AsyncDisposableStack();
let cluster: KubeCluster;
let sink: RecordingSink;
let source: EmulatedNode;
let destination: EmulatedNode;
let agents: readonly AgentPod[];

before(async () => {
  sink = resources.use(await RecordingSink.start());
  cluster = resources.use(await startTelemetryCluster());
  source = resources.use(await EmulatedNode.create(cluster, "node-a"));
  destination = resources.use(await EmulatedNode.create(cluster, "node-b"));
  await applyConfig(cluster, "default", { targets: [target(sink)] });
  agents = [await source.startAgent(), await destination.startAgent()];
});
after(() => resources.disposeAsync());

/** A VM on the source that is about to migrate: the destination has its launcher. */
interface Migration {
  readonly vmi: Vmi;
  readonly domain: string;
  readonly from: Launcher;
  readonly to: Launcher;
}

async function prepare(name: string, memoryMiB?: number): Promise<Migration> {
  const vm = { namespace: "prod", name, labels: { team: "web" } };
  const from = await source.startVm({ ...vm, ...(memoryMiB !== undefined && { memoryMiB }) });
  await until(() => Promise.resolve(pointsOf(name)[0]), `a point of ${name}`);
  const to = await destination.startLauncher();
  const pods = { [from.podUid]: source.name, [to.podUid]: destination.name };
  const vmi = { ...vm, node: source.name, pods, migrationTarget: destination.name };
  await applyVmi(cluster, vmi);
  return { vmi, domain: `prod_${name}`, from, to };
}

/** Ends the migration as KubeVirt does: the VMI is on the destination, then the migration state ends, then the source's pod. */
async function complete({ vmi, from }: Migration): Promise<void> {
  const arrived = { ...vmi, node: destination.name };
  await applyVmi(cluster, arrived);
  await applyVmi(cluster, { ...arrived, migrationTarget: undefined });
  await from[Symbol.asyncDispose]();
}

/** Returns a VM's points of vm_metrics in the order of time. */
function pointsOf(name: string): readonly Point[] {
  return sink.points
    .filter(({ measurement, tags }) => measurement === "vm_metrics" && tags.get("name") === name)
    .sort((a, b) => Number(a.timestamp - b.timestamp));
}

/** Returns the nodes that have sampled the VM, in order, without repetitions. */
function path(points: readonly Point[]): string[] {
  const nodes = points.map(({ tags }) => tags.get("node") ?? "");
  return nodes.filter((node, index) => node !== nodes[index - 1]);
}

async function cycles(count: number): Promise<void> {
  await Promise.all(agents.map((agent) => agent.run(count)));
}

function assertOneAtATime(points: readonly Point[]): void {
  assert.equal(new Set(points.map(({ timestamp }) => timestamp)).size, points.length, "two points for one instant");
}

function assertSteady(points: readonly Point[]): void {
  assertOneAtATime(points);
  const gaps = gapsOf(points);
  // Cycles can be some milliseconds late.
  assert.ok(Math.max(...gaps) < 2.2 * INTERVAL_MS, `gaps of ${gaps.join(", ")} ms`);
}

test("a migrating VM has one point an interval, first from one node, then from the other", async () => {
  const migration = await prepare("web", SLOW.memoryMiB);
  await cycles(2);
  const migrated = migration.from.migrate(migration.domain, migration.to, SLOW);
  const paused = /paused/;
  await until(
    async () => paused.test(await migration.to.virsh("domstate", migration.domain)) || undefined,
    "the guest to wait on the destination",
  );
  await cycles(3);
  assert.match(await migration.to.virsh("domstate", migration.domain), paused, "it was on both nodes all the while");
  assert.deepEqual(path(pointsOf("web")), ["node-a"]);
  await migrated;
  await cycles(2);
  await complete(migration);
  await cycles(3);
  const points = pointsOf("web");
  assert.deepEqual(path(points), ["node-a", "node-b"]);
  assertSteady(points);
  for (const { tags } of points) assert.deepEqual([tags.get("namespace"), tags.get("name")], ["prod", "web"]);
});

test("an aborted migration leaves the VM on its node", async () => {
  const migration = await prepare("stays", SLOW.memoryMiB);
  const migrated = assert.rejects(migration.from.migrate(migration.domain, migration.to, SLOW));
  await until(() => migration.to.virsh("domstate", migration.domain), "the guest to wait on the destination");
  await cycles(2);
  await migration.from.virsh("domjobabort", migration.domain);
  await migrated;
  await migration.to[Symbol.asyncDispose]();
  await cycles(2);
  assert.deepEqual(path(pointsOf("stays")), ["node-a"]);
  assertSteady(pointsOf("stays"));
});

test("a paused VM that migrates is never sampled on both nodes", async () => {
  const migration = await prepare("asleep");
  await migration.from.virsh("suspend", migration.domain);
  await cycles(2);
  await migration.from.migrate(migration.domain, migration.to);
  await complete(migration);
  await cycles(3);
  assert.deepEqual(path(pointsOf("asleep")), ["node-a", "node-b"]);
  assertOneAtATime(pointsOf("asleep"));
});
