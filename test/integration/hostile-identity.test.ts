import assert from "node:assert/strict";
import { chown, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import type { Point } from "../../scripts/demo/line-protocol-parser.ts";
import { SimulatedLauncher } from "../support/simulated-launcher.ts";
import type { AgentPod } from "./support/agent-pod.ts";
import { EmulatedNode } from "./support/emulated-node.ts";
import type { KubeCluster } from "./support/kube.ts";
import { LAUNCHER_UID } from "./support/launcher.ts";
import { freePort, until } from "./support/process.ts";
import { missedTicks, RecordingSink } from "./support/recording-sink.ts";
import { applyConfig, target } from "./support/telemetry-config.ts";
import { AGENT, API, startTelemetryCluster } from "./support/telemetry-cluster.ts";
import { applyVmi, type Vmi } from "./support/vmi.ts";

// Attacks on the names of VMs, and what `kubectl get nt` shows meanwhile. The launchers are simulated; the API server is real.

const INTERVAL_MS = 1_000;
const ROLE = `/apis/rbac.authorization.k8s.io/v1/clusterroles/${AGENT}`;
const VMIS = "/apis/kubevirt.io/v1/namespaces/tenant-a/virtualmachineinstances";
const UUID = "0d3f1f6c-0f0e-5b0c-8f8e-2f4f5f0b7a11";
const OTHER_UUID = "7d0b7f0e-6f0a-4c5b-9a51-3f6f1c2b7a10";
/** A report has the start of its agent in whole seconds. */
const STARTED_MS = 1_000;
/**
 * A report follows within a minute of a change. After a denial each of the two lists of VMIs waits up to 30 s for its retry. So the
 * end of a denial shows after 90 s at most. The limit has a margin.
 */
const REPORT_MS = 180_000;
/** Together more than the 64 MiB that an agent once accepted as one answer. */
const LARGE_VMIS = 70;

const resources = new AsyncDisposableStack();
let cluster: KubeCluster;
let sink: RecordingSink;
let node: EmulatedNode;
let agent: AgentPod;
let linksDir: string;
let spoolDir: string;
let port: number;
let victim: SimulatedLauncher;
let seeds = 0;

before(async () => {
  sink = resources.use(await RecordingSink.start());
  cluster = resources.use(await startTelemetryCluster());
  node = resources.use(await EmulatedNode.create(cluster, "node-1"));
  linksDir = await temporary("l");
  spoolDir = await temporary("spool-");
  await chown(spoolDir, LAUNCHER_UID, 0);
  port = await freePort();
  await applyConfig(cluster, "default", { targets: [target(sink)] });
  victim = await launch("tenant-b_vm1", UUID);
  await applyVmi(cluster, { ...vm("tenant-b", "vm1", victim), uuid: UUID });
});
after(() => resources.disposeAsync());

async function temporary(prefix: string): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), prefix));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** Starts a pod on the node with a libvirt daemon and this domain. It is not a launcher until a VMI lists it. */
async function launch(domain: string, uuid?: string): Promise<SimulatedLauncher> {
  const launcher = resources.use(await SimulatedLauncher.withoutDaemon({ podsDir: node.podsDir, linksDir }));
  await launcher.boot(domain, ++seeds, uuid);
  return launcher;
}

function vm(namespace: string, name: string, { podUid }: SimulatedLauncher): Vmi {
  return { namespace, name, node: node.name, pods: { [podUid]: node.name } };
}

/** Returns the points of a VM that were collected since this time. */
function pointsOf(name: string, sinceMs = 0): readonly Point[] {
  return sink.points.filter(
    ({ measurement, tags, timestamp }) =>
      measurement === "vm_metrics" && tags.get("name") === name && timestamp >= BigInt(sinceMs) * 1_000_000n,
  );
}

/** Resolves to the first point of a VM that was collected since this time, now or later. */
function pointOf(name: string, sinceMs = 0): Promise<Point> {
  return until(() => Promise.resolve(pointsOf(name, sinceMs)[0]), `a point of ${name}`, 120_000);
}

/** Resolves when `kubectl get nt` and the condition NamesKnown show this. */
async function shown(columns: RegExp, names: RegExp): Promise<void> {
  let last = "";
  const asked = until(
    async () => {
      const row = (await cluster.kubectl("get", "nt", node.name, "--no-headers")).trim().split(/\s+/);
      const condition = `jsonpath={range .status.conditions[?(@.type=="NamesKnown")]}{.status} {.reason} {.message}`;
      const known = await cluster.kubectl("get", "nt", node.name, "--output", `${condition}{end}`);
      last = `${row.slice(1, -1).join(" ")} | ${known}`;
      return (columns.test(row.slice(1, -1).join(" ")) && names.test(known)) || undefined;
    },
    `kubectl to show ${columns.source}`,
    REPORT_MS,
  );
  await asked.catch((error: unknown) => {
    throw new Error(`it shows ${last}`, { cause: error });
  });
}

test("while the rights to list VMIs are missing from the start, nothing is written and NamesKnown is False", async () => {
  const { rules } = (await cluster.call("GET", ROLE)) as unknown as { readonly rules: readonly Rule[] };
  const restrict = (kept: readonly Rule[]): Promise<unknown> =>
    cluster.call("PATCH", ROLE, { body: { rules: kept }, contentType: "application/merge-patch+json" });
  await restrict(rules.filter(({ apiGroups }) => !apiGroups.includes("kubevirt.io")));
  const env = { KUBEVIRT_TELEMETRY_SPOOL_DIR: spoolDir, KUBEVIRT_TELEMETRY_LISTEN: `127.0.0.1:${port}` };
  try {
    agent = resources.use(await node.startAgent({ env }));
    await shown(/^True default 0 1\/1 NoDomains$/, /^False Forbidden .*403/);
    assert.deepEqual([sink.points.length, victim.calls], [0, 0]);
  } finally {
    await restrict(rules);
  }
  await pointOf("vm1");
  await shown(/^True default 1 1\/1 AsExpected$/, /^True Known/);
});

interface Rule {
  readonly apiGroups: readonly string[];
}

test("pods of strangers write nothing under the name or the UUID of a VM, and the node stays Ready", async () => {
  const impostor = await launch("tenant-b_vm1", UUID);
  const refusing = await launch("tenant-b_vm1");
  await refusing.crash();
  const silent = await launch("tenant-b_vm1");
  silent.freeze();
  // A launcher of tenant-a that claims the UUID of tenant-b's VM.
  const thief = await launch("tenant-a_vm2", UUID);
  const [begun, log] = [Date.now(), agent.log.length];
  await applyVmi(cluster, { ...vm("tenant-a", "vm2", thief), uuid: OTHER_UUID });
  await agent.logged(({ code }) => code === "E_DOMAIN_FOREIGN", "the foreign domain", log);
  await agent.run(5);
  assert.deepEqual([impostor.calls, silent.calls], [0, 0]);
  const points = pointsOf("vm1", begun);
  assert.ok(points.length >= 4 && missedTicks(points, "vm1", INTERVAL_MS) === 0);
  assert.equal(new Set(points.map(({ timestamp }) => timestamp)).size, points.length, "one point a cycle");
  assert.deepEqual(pointsOf("vm2"), []);
  assert.deepEqual([...new Set(sink.points.map(({ tags }) => tags.get("namespace")))], ["tenant-b"]);
  await shown(/^True default 1 1\/1 LauncherMisbehaving$/, /^True Known/);
  // With its own UUID the VM is collected.
  await thief[Symbol.asyncDispose]();
  const honest = await launch("tenant-a_vm2", OTHER_UUID);
  await applyVmi(cluster, { ...vm("tenant-a", "vm2", honest), uuid: OTHER_UUID });
  assert.equal((await pointOf("vm2")).tags.get("uuid"), OTHER_UUID);
});

test("an agent that starts in an outage collects the VMs it knew, and all of 70 MB of VMIs after it", async () => {
  const create = async (index: number): Promise<void> => {
    const labels = { "kubevirt.io/nodeName": node.name };
    const spec = { volumes: [{ cloudInitNoCloud: { userData: "x".repeat(1_000_000) } }] };
    const metadata = { name: `large-${index}`, labels };
    await cluster.call("POST", VMIS, {
      body: { apiVersion: "kubevirt.io/v1", kind: "VirtualMachineInstance", metadata, spec },
    });
  };
  for (let first = 0; first < LARGE_VMIS; first += 10)
    await Promise.all(Array.from({ length: 10 }, (_, index) => create(first + index)));
  const known = path.join(spoolDir, "known-objects.jsonl");
  await until(
    async () => (await readFile(known, "utf8").catch(() => "")).includes(`large-${LARGE_VMIS - 1}"`) || undefined,
    "the VMs to be saved",
  );

  await cluster.killApiServer();
  const stranger = await launch("tenant-b_vm1", UUID);
  const unknown = await launch("tenant-b_vm3");
  agent = resources.use(await agent.restart());
  // Queued lines of the agent before it are delivered, too.
  const begun = Date.now();
  await agent.logged(({ msg }) => msg.startsWith("the API server does not answer: "), "what it uses");
  await pointOf("vm1", begun);
  await pointOf("vm2", begun);
  await agent.run(4);
  const during = pointsOf("vm1", begun);
  assert.ok(during.length >= 4 && missedTicks(during, "vm1", INTERVAL_MS) === 0);
  assert.deepEqual([stranger.calls, unknown.calls, pointsOf("vm3").length], [0, 0, 0]);
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  assert.match(metrics, /kubernetes_stale_seconds\{resource="VMIs with kubevirt.io\/nodeName"\} \+Inf/);
  const page = await (await fetch(`http://127.0.0.1:${port}/`)).text();
  assert.match(page, /Unreachable: /);

  await cluster.startApiServer();
  await applyVmi(cluster, vm("tenant-b", "vm3", unknown));
  await pointOf("vm3");
  await until(
    async () => {
      const { body } = await cluster.request("GET", `${API}/nodetelemetries/${node.name}`);
      const { agent: reporter } = body.status as { readonly agent: { readonly startedAt: string } };
      return Date.parse(reporter.startedAt) >= begun - STARTED_MS || undefined;
    },
    "a report of the agent after its restart",
    REPORT_MS,
  );
  // A report with another count alone is written every five minutes.
  await shown(/^True default [23] 1\/1 AsExpected$/, /^True Known/);
  assert.equal(stranger.calls, 0);
  assert.equal(missedTicks(pointsOf("vm1", begun), "vm1", INTERVAL_MS), 0);
  const listed = agent.log.filter(({ msg, objects }) => msg === "listed" && Number(objects) >= LARGE_VMIS);
  assert.ok(listed.length >= 1, "all VMIs are listed");
});
