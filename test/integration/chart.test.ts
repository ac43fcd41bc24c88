import assert from "node:assert/strict";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { CHART } from "../../scripts/helm.ts";
import { VALUES_FILES } from "../support/chart.ts";
import { FOREIGN_CRDS } from "./support/foreign-crds.ts";
import { JobRunner } from "./support/job-runner.ts";
import { KubeCluster } from "./support/kube.ts";
import type { ApiObject } from "./support/kube-api.ts";
import { until } from "./support/process.ts";
import { ReadyNodes } from "./support/ready-nodes.ts";
import { Helm, list, wantedPods } from "./support/release.ts";
import { createRuntimeClass } from "./support/runtime-class.ts";
import { atEnd } from "../support/at-end.ts";

const GROUP = "kubevirt-telemetry.io";
const CONFIGS = `/apis/${GROUP}/v1alpha1/telemetryconfigs`;
const AGENTS = "app.kubernetes.io/component=agent";
const NODES = ["node-a", "node-b"];
/** The `namespaceOverride` of ci/everything-values.yaml. */
const OTHER_NAMESPACE = "telemetry";
/** Values -> name of the DaemonSet, if it is not the usual one. */
const AGENT_OF: Readonly<Record<string, string>> = {
  everything: "telemetry-agent",
  tuned: "kubevirt-telemetry-vms-agent",
};

const resources = new AsyncDisposableStack();
let cluster: KubeCluster;

before(async () => {
  cluster = resources.use(await KubeCluster.start({ controllers: true }));
  await createRuntimeClass(cluster);
  for (const name of [OTHER_NAMESPACE, "monitoring"]) await cluster.kubectl("create", "namespace", name);
  await cluster.apply(FOREIGN_CRDS.map((crd) => JSON.stringify(crd)).join("\n---\n"));
  const labels = { "kubernetes.io/os": "linux", "example.com/vms": "true", "kubevirt.io/schedulable": "true" };
  resources.use(await ReadyNodes.create(cluster, NODES, labels));
});
after(() => resources.disposeAsync());

/**
 * Helm in a namespace of this test; the pods may be in another one. After the test its objects, the CRDs and their objects are
 * deleted.
 */
async function namespaceFor(t: TestContext, name: string, podSecurity = "privileged", namespaceOfPods = name) {
  const labels = { "pod-security.kubernetes.io/enforce": podSecurity };
  await cluster.call("POST", "/api/v1/namespaces", {
    body: { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } },
  });
  const helm = await Helm.in(cluster, name);
  const runner = new JobRunner(cluster, namespaceOfPods);
  atEnd(t, async () => {
    await helm.call("uninstall", "--ignore-not-found");
    await runner[Symbol.asyncDispose]();
    await helm[Symbol.asyncDispose]();
    await cluster.kubectl(
      "delete",
      "crd",
      "--ignore-not-found",
      "--timeout=60s",
      `telemetryconfigs.${GROUP}`,
      `nodetelemetries.${GROUP}`,
    );
  });
  return { helm, runner, pods: `/api/v1/namespaces/${namespaceOfPods}/pods` };
}

function values(name: string): string[] {
  const file = VALUES_FILES.get(name);
  assert.ok(file, name);
  return ["--values", file];
}

for (const name of VALUES_FILES.keys()) {
  test(`a cluster accepts the chart with the values ${name}, and every node gets an agent`, async (t) => {
    const namespace = `values-${name}`;
    const ofPods = name === "everything" ? OTHER_NAMESPACE : namespace;
    const { helm, runner, pods } = await namespaceFor(t, namespace, "privileged", ofPods);
    await helm.call("install", CHART, ...values(name));
    assert.equal(await wantedPods(cluster, ofPods, AGENT_OF[name] ?? "kubevirt-telemetry-agent"), NODES.length);
    await until(async () => (await list(cluster, pods, AGENTS)).length === NODES.length || undefined, "agents");
    await helm.call("test");
    const tested = runner.ran.find((pod) => pod.name.endsWith("-test"));
    assert.match(tested?.output ?? "", /^VM +STATE/);
    await helm.call("uninstall");
    await until(async () => (await list(cluster, pods, AGENTS)).length === 0 || undefined, "the agents to go");
  });
}

test("a namespace that forbids the agents' pods is reported in the notes and in events", async (t) => {
  const { helm, pods } = await namespaceFor(t, "baseline", "baseline");
  const notes = await helm.call("install", CHART);
  assert.match(notes, /WARNING: no agent can start.*pod-security.kubernetes.io\/enforce=baseline/);
  assert.match(notes, /kubectl label namespace baseline pod-security\.kubernetes\.io\/enforce=privileged --overwrite/);
  const rejected = await until(async () => {
    const { items = [] } = await cluster.call("GET", "/api/v1/namespaces/baseline/events");
    const events = items as readonly (ApiObject & { readonly reason: string })[];
    return events.find(({ reason }) => reason === "FailedCreate");
  }, "a pod to be rejected");
  assert.match(rejected.message ?? "", /violates PodSecurity "baseline:latest".*hostPath/);
  assert.deepEqual(await list(cluster, pods, AGENTS), []);
  const controllers = "app.kubernetes.io/component=controller";
  await until(async () => (await list(cluster, pods, controllers)).length === 1 || undefined, "the controller's pod");

  await cluster.kubectl(
    "label",
    "namespace",
    "baseline",
    "pod-security.kubernetes.io/enforce=privileged",
    "--overwrite",
  );
  await until(async () => (await list(cluster, pods, AGENTS)).length === NODES.length || undefined, "agents");
  assert.doesNotMatch(await helm.call("upgrade", CHART), /WARNING|FailedCreate/);
});

test("the controller runs in a namespace with the strictest Pod Security", async (t) => {
  const { helm, pods } = await namespaceFor(t, "restricted", "restricted");
  await helm.call("install", CHART);
  const controllers = "app.kubernetes.io/component=controller";
  await until(async () => (await list(cluster, pods, controllers)).length === 1 || undefined, "the controller's pod");
});

function config(name: string, priority: number) {
  const target = { name: "central", url: "https://influxdb.example.com", v2: { org: "o", bucket: "b" } };
  return {
    apiVersion: `${GROUP}/v1alpha1`,
    kind: "TelemetryConfig",
    metadata: { name },
    spec: { priority, targets: [target] },
  };
}

async function create(name: string, priority: number): Promise<number> {
  return (await cluster.request("POST", CONFIGS, { body: config(name, priority) })).status;
}

/** Resolves to a user's object. While a CRD changes, the API server may answer with a retry. */
async function written(): Promise<string[]> {
  const { items = [] } = await until(() => cluster.call("GET", CONFIGS), "the TelemetryConfigs");
  return items.map(({ metadata, spec }) => `${metadata.name} ${metadata.uid} ${JSON.stringify(spec)}`);
}

/** The chart of an earlier version, whose CRD allowed only smaller priorities. */
async function earlierChart(t: TestContext): Promise<string> {
  const chart = await mkdtemp(path.join(tmpdir(), "chart-"));
  atEnd(t, () => rm(chart, { recursive: true, force: true }));
  await cp(CHART, chart, { recursive: true });
  for (const [file, from, to] of [
    ["templates/crd-telemetryconfigs.yaml", /maximum: 1000$/m, "maximum: 10"],
    ["Chart.yaml", /^version: .*$/m, "version: 0.0.1"],
  ] as const) {
    const text = await readFile(path.join(chart, file), "utf8");
    assert.match(text, from);
    await writeFile(path.join(chart, file), text.replace(from, to));
  }
  return chart;
}

test("upgrade and rollback change the CRD and keep the TelemetryConfigs", async (t) => {
  const { helm } = await namespaceFor(t, "versions");
  await helm.call("install", await earlierChart(t));
  await until(async () => (await create("mine", 5)) === 201 || undefined, "the kind to be served");
  assert.equal(await create("later", 100), 422);

  await helm.call("upgrade", CHART);
  await until(async () => (await create("later", 100)) === 201 || undefined, "the CRD of the new version");
  const mine = await written();
  assert.equal(mine.length, 2);

  await helm.call("rollback", "1");
  await until(async () => (await create("none", 100)) === 422 || undefined, "the CRD of the old version");
  assert.deepEqual(await written(), mine, "after the rollback");

  await helm.call("uninstall");
  assert.deepEqual(await written(), mine, "after the uninstallation");

  await helm.call("install", CHART);
  assert.deepEqual(await written(), mine, "after another installation");
});

test("the chart never changes the TelemetryConfig that it created", async (t) => {
  const { helm, runner } = await namespaceFor(t, "configured");
  const target = "telemetryConfig.spec.targets[0]";
  const spec = `${target}.name=central,${target}.url=https://influxdb.example.com,${target}.v3.database=vms`;
  const made = ["--set", `telemetryConfig.create=true,${spec}`];
  await helm.call("install", CHART, ...made);
  const [first, ...more] = (await cluster.call("GET", CONFIGS)).items ?? [];
  assert.ok(first);
  assert.deepEqual(more, []);
  assert.equal(first.metadata.name, "default");
  assert.deepEqual(
    runner.ran.map(({ exitCode }) => exitCode),
    [0],
  );
  assert.match(runner.ran[0]?.output ?? "", /TelemetryConfig default created\n$/);

  await cluster.kubectl("patch", "telemetryconfig", "default", "--type=merge", "--patch", '{"spec":{"priority":7}}');
  const mine = await written();
  await helm.call("upgrade", CHART, ...made, "--set", "telemetryConfig.spec.priority=1");
  assert.deepEqual(await written(), mine, "after an upgrade with another spec");
  assert.match(runner.ran[1]?.output ?? "", /exists already and is not changed\n$/);
  await helm.call("uninstall");
  assert.deepEqual(await written(), mine, "after the uninstallation");
  await helm.call("install", CHART, ...made);
  assert.deepEqual(await written(), mine, "after another installation");

  const left = await cluster.kubectl(
    ...["get", "jobs,serviceaccounts,configmaps,clusterroles,clusterrolebindings", "--namespace", "configured"],
    ...["--output", "name", "--selector", "app.kubernetes.io/instance=kubevirt-telemetry"],
  );
  assert.doesNotMatch(left, /create-config/, "what the job needed");
});

test("kubectl needs only the manifests", async (t) => {
  atEnd(t, () =>
    cluster.kubectl("delete", "--filename", "manifests/install.yaml", "--ignore-not-found", "--wait=false"),
  );
  await cluster.apply(await readFile("manifests/install.yaml", "utf8"));
  assert.equal(await wantedPods(cluster, "kubevirt-telemetry", "kubevirt-telemetry-agent"), NODES.length);
  const pods = "/api/v1/namespaces/kubevirt-telemetry/pods";
  await until(async () => (await list(cluster, pods, AGENTS)).length === NODES.length || undefined, "agents");
});
