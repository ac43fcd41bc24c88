import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import type { AgentPod } from "./support/agent-pod.ts";
import type { Row } from "./support/csv.ts";
import { EmulatedNode } from "./support/emulated-node.ts";
import { Influxd2 } from "./support/influxd2.ts";
import type { KubeCluster } from "./support/kube.ts";
import type { Launcher } from "./support/launcher.ts";
import { until } from "./support/process.ts";
import { NAMESPACE, startTelemetryCluster } from "./support/telemetry-cluster.ts";
import { applyVmi, deleteVmi } from "./support/vmi.ts";

// One node of a cluster, configured by a TelemetryConfig of manifests/samples; the agent runs as the user of the launchers.

const WEB = {
  namespace: "prod",
  name: "web",
  labels: { team: "web", "app.kubernetes.io/name": "shop", "topology.kubernetes.io/zone": "b" },
  annotations: { "vm.kubevirt.io/os": "fedora", unasked: "yes" },
};

const UNRESPONSIVE = "E_LAUNCHER_UNRESPONSIVE";
const resources = new AsyncDisposableStack();
let cluster: KubeCluster;
let influx: Influxd2;
let node: EmulatedNode;
let agent: AgentPod;
let givenUp: Launcher;
let token: Awaited<ReturnType<Influxd2["createToken"]>>;

before(async () => {
  influx = resources.use(await Influxd2.start());
  cluster = resources.use(await startTelemetryCluster());
  node = resources.use(await EmulatedNode.create(cluster, "node-1"));
  token = await influx.createToken();
  await writeSecret(token.token);
  await cluster.apply(sample("tags"));
  await node.startVm(WEB);
  await node.startVm({ namespace: "prod", name: "unselected" }, { socketName: "libvirt-sock" });
  // Neither a launcher nor one with a guest.
  await mkdir(path.join(node.podsDir, "8f14e45f-ceea-467f-a1d4-91f3f7a6ff0f/volumes/kubernetes.io~empty-dir/tmp"), {
    recursive: true,
  });
  await mkdir(
    path.join(node.podsDir, "c9f0f895-fb98-4ab9-8f14-d3b7b2b3fb5c/volumes/kubernetes.io~empty-dir/libvirt-runtime"),
    { recursive: true },
  );
  agent = await node.startAgent();
  await sampled({ name: "web" });
  givenUp = await node.startVm({ namespace: "prod", name: "given-up", labels: { team: "web" } });
  await sampled({ name: "given-up" });
  // The agent needs half a minute to notice it; other tests run meanwhile.
  await givenUp.markUnresponsive();
});
after(() => resources.disposeAsync());

/** A sample with the values of this test. */
function sample(name: string): string {
  return readFileSync(`manifests/samples/${name}.yaml`, "utf8")
    .replace("url: https://influxdb.example.com:8086", `url: ${influx.url}\n      tls: { mode: Plaintext }`)
    .replace("org: example", `org: ${influx.org}`)
    .replace("spec:\n", "spec:\n  collection: { interval: 1s }\n");
}

async function writeSecret(value: string): Promise<void> {
  await cluster.apply(`apiVersion: v1
kind: Secret
metadata: {name: influxdb, namespace: ${NAMESPACE}}
stringData: {token: "${value}"}
`);
}

const rows = (measurement = "kubevirt_vm_metrics"): Promise<Row[]> => influx.points(measurement);

function fits(row: Row, wanted: Row): boolean {
  return Object.entries(wanted).every(([key, value]) => row[key] === value);
}

/** Resolves to the first vm_metrics point with these tags, now or later. */
function sampled(wanted: Row): Promise<Row> {
  return until(async () => (await rows()).find((row) => fits(row, wanted)), JSON.stringify(wanted));
}

test("points have the VM's Kubernetes names and the configured labels and annotations", async () => {
  await agent.run(2);
  const common = {
    namespace: "prod",
    name: "web",
    node: "node-1",
    cluster: "berlin-1",
    team: "web",
    app_kubernetes_io_name: "shop",
    zone: "b",
    os: "fedora",
  };
  const devices = [
    { devtype: "nic", device: "tap0", network: "default" },
    { devtype: "disk", device: "vda", volume: "rootdisk" },
  ];
  for (const [measurement, each] of Object.entries({
    kubevirt_vm_metrics: [{}],
    kubevirt_vm_features: [{}],
    kubevirt_vm_totals: [{}],
    kubevirt_vm_devices: devices,
  }))
    for (const tags of each)
      assert.ok(
        (await rows(measurement)).some((row) => fits(row, { ...common, ...tags })),
        `${measurement} ${JSON.stringify(tags)}`,
      );
  const found = await rows("kubevirt_vm_devices");
  assert.deepEqual([...new Set(found.map(({ device }) => device))].sort(), ["tap0", "vda"], "and no cloud-init drive");
});

test("a VM that the vmSelector does not select is not collected", async () => {
  await agent.run(1);
  assert.deepEqual(
    [...new Set((await rows()).map(({ name }) => name))].filter((name) => name === "unselected"),
    [],
  );
});

test("pods without a launcher or daemon are not a fault", () => {
  const entries = agent.log.filter(({ level }) => ["warn", "error"].includes(level));
  assert.deepEqual(
    entries.filter(
      // Guests without an operating system have no balloon values; the entry with `domains` reports that.
      ({ msg, code, domains }) => /libvirt|pod/.test(msg) && code !== UNRESPONSIVE && domains === undefined,
    ),
    [],
  );
});

test("a started VM is sampled, and an ended one leaves no connection", async () => {
  const before = await agent.unixConnections();
  const launcher = await node.startVm({ namespace: "test", name: "short", labels: { team: "ci" } });
  const point = await sampled({ namespace: "test", name: "short" });
  assert.deepEqual([point["team"], point["node"]], ["ci", "node-1"]);
  assert.equal(await agent.unixConnections(), before + 1);

  await deleteVmi(cluster, { namespace: "test", name: "short" });
  await launcher.end();
  await agent.run(2);
  assert.equal(await agent.unixConnections(), before, "the daemon is gone");
  await launcher[Symbol.asyncDispose]();
  await agent.run(2);
  assert.equal(await agent.unixConnections(), before, "the pod is gone");
  assert.deepEqual(
    agent.log.filter(({ level, endpoint }) => level !== "debug" && String(endpoint).includes(launcher.podUid)),
    [],
    "and no warning is logged",
  );
});

test("a VMI that is created again under its name has its new labels", async () => {
  const old = await node.startVm({ namespace: "test", name: "again", labels: { team: "old" } });
  await sampled({ name: "again", team: "old" });
  await deleteVmi(cluster, { namespace: "test", name: "again" });
  // The pod of the old one ends later.
  await node.startVm({ namespace: "test", name: "again", labels: { team: "new" } });
  await sampled({ name: "again", team: "new" });
  await old[Symbol.asyncDispose]();
});

test("a changed label changes the tag", async () => {
  const launcher = await node.startVm({ namespace: "test", name: "moved", labels: { team: "a" } });
  await sampled({ name: "moved", team: "a" });
  const pods = { [launcher.podUid]: node.name };
  await applyVmi(cluster, { namespace: "test", name: "moved", labels: { team: "b" }, node: node.name, pods });
  const first = await sampled({ name: "moved", team: "b" });
  await agent.run(2);
  const late = (await rows()).filter((row) => fits(row, { name: "moved", team: "a" }) && timeOf(row) > timeOf(first));
  assert.deepEqual(late, []);
});

test("a new token in the Secret needs no restart and loses nothing", async () => {
  const since = agent.log.length;
  await token.revoke();
  const rejection = await agent.logged(
    ({ reason }) => reason === "TargetUnauthorized",
    "that the target rejects",
    since,
  );
  const next = await influx.createToken();
  await writeSecret(next.token);
  const recovery = await agent.logged(({ msg }) => msg === "delivery recovered", "that it recovered", since);
  await agent.run(2);
  const times = (await rows()).filter((row) => fits(row, { name: "web" })).map(timeOf);
  const span = Math.max(...times) - Math.min(...times);
  assert.ok(Date.parse(String(recovery["time"])) > Date.parse(String(rejection["time"])));
  assert.equal(new Set(times).size, Math.round(span / 1_000) + 1, "a point for every second");
  assert.ok(![token, next].some((each) => agent.output.includes(each.token)), "no token in the log");
  token = next;
});

test("a launcher that virt-handler has given up is not collected, and a warning names it", async () => {
  const warning = await agent.logged(({ code }) => code === UNRESPONSIVE, "that a launcher is given up");
  assert.equal(warning.level, "warn");
  assert.match(String(warning["endpoint"]), new RegExp(givenUp.podUid));
  assert.match(warning.msg, /the launcher of prod\/given-up/);
  await agent.run(2);
  const last = Math.max(...(await rows()).filter((row) => fits(row, { name: "given-up" })).map(timeOf));
  // The cycle that was due at that moment may still run.
  assert.ok(last < Date.parse(String(warning["time"])) + 1_000);
});

function timeOf({ time = "" }: Row): number {
  return Date.parse(time);
}
