import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { atEnd } from "../support/at-end.ts";
import { commandsOf } from "./support/doc-shell.ts";
import { AGENT, ChartCluster, INSTALL, NAMESPACE } from "./support/node/chart-cluster.ts";
import { enforcePolicies } from "./support/node/network-policies.ts";
import { isReady, podsOf } from "./support/node/pods.ts";
import { SimulatedLauncher } from "./support/node/simulated-launcher.ts";
import { RecordingSink } from "./support/recording-sink.ts";
import { until } from "./support/process.ts";

// What a namespace and a cluster do to the chart on a real node, and what the chart leaves in them.

/** A NetworkPolicy of the namespace that allows nothing. */
const DENY_ALL = {
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { name: "deny-all", namespace: NAMESPACE },
  spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] },
};

const resources = new AsyncDisposableStack();
let cluster: ChartCluster;

before(async () => {
  cluster = resources.use(await ChartCluster.start());
});
after(() => resources.disposeAsync());
// A test that fails half-way leaves objects behind.
afterEach(() =>
  cluster.shell.run(`helm uninstall kubevirt-telemetry --namespace ${NAMESPACE} --ignore-not-found
    kubectl delete namespace ${NAMESPACE} --ignore-not-found --timeout=120s
    kubectl delete crd telemetryconfigs.kubevirt-telemetry.io nodetelemetries.kubevirt-telemetry.io --ignore-not-found --timeout=60s`),
);

/** Resolves to the names of all objects with their namespaces, but Events and what is in Kubernetes' own namespaces. */
async function objects(): Promise<ReadonlySet<string>> {
  const kinds = await cluster.shell.run("kubectl api-resources --verbs=list --output name | grep -v '^events'");
  const format = `jsonpath={range .items[*]}{.kind} {.metadata.namespace}/{.metadata.name}{"\\n"}{end}`;
  const list = `kubectl get ${kinds.trim().split("\n").join(",")} --all-namespaces --output '${format}'`;
  return new Set((await cluster.shell.run(list)).split("\n").filter((name) => !name.includes(" kube-")));
}

test("the commands of the notes start the agents in a namespace with Pod Security baseline", async () => {
  await cluster.shell.run(`kubectl create namespace ${NAMESPACE}
    kubectl label namespace ${NAMESPACE} pod-security.kubernetes.io/enforce=baseline`);
  const notes = await cluster.shell.follow(INSTALL, "3. Install the chart");
  assert.match(notes, /WARNING: no agent can start/);
  // After some failures the next try is far away.
  const events = `kubectl --namespace ${NAMESPACE} get events --field-selector reason=FailedCreate --no-headers`;
  await until(
    async () => ((await cluster.shell.run(events)).split("\n").length > 10 ? true : undefined),
    "failed tries",
  );
  assert.deepEqual(await podsOf(cluster.kube, NAMESPACE, AGENT), []);
  const [, commands = ""] = /WARNING: no agent can start.*?:\n((?: {2}kubectl [^\n]*\n)+)/s.exec(notes) ?? [];
  await cluster.shell.run(commands);
  await cluster.ready(AGENT);
});

test("where all traffic is denied, the chart's NetworkPolicies let its pods reach what they need", async (t) => {
  const launcher = await SimulatedLauncher.start(cluster.kube, cluster.node, { namespace: "prod", name: "web" });
  atEnd(t, () => launcher.end());
  await using sink = await RecordingSink.start({ address: cluster.hostAddress });
  await enforcePolicies(cluster.kube, cluster.node);
  await cluster.shell.follow(INSTALL, "1. Create the namespace");
  await cluster.kube.apply(JSON.stringify(DENY_ALL));

  await cluster.shell.follow(INSTALL, "3. Install the chart");
  await logged(/no connection to the API server/);

  const upgrade = `helm upgrade kubevirt-telemetry charts/kubevirt-telemetry --namespace ${NAMESPACE}`;
  await cluster.shell.run(`${upgrade} --set networkPolicy.enabled=true`);
  await cluster.configure(sink, 1_000);
  await logged(/delivery failing/);
  assert.deepEqual(sink.points, []);

  const { hostname, port } = new URL(sink.url);
  const targets = [{ to: [{ ipBlock: { cidr: `${hostname}/32` } }], ports: [{ port: Number(port), protocol: "TCP" }] }];
  const spec = { priority: -5, targets: [{ name: "a", url: "https://influxdb.example.com", v3: { database: "d" } }] };
  const values = {
    networkPolicy: { enabled: true, targets },
    telemetryConfig: { create: true, name: "made-by-the-job", spec },
  };
  const set = Object.entries(values).map(([name, value]) => `--set-json '${name}=${JSON.stringify(value)}'`);
  await cluster.shell.run(`${upgrade} ${set.join(" ")}`);
  await until(() => Promise.resolve(sink.points.length > 0 || undefined), "points");
  await cluster.kube.kubectl("get", "telemetryconfig", "made-by-the-job");
  const tested = await cluster.shell.run(`helm test kubevirt-telemetry --namespace ${NAMESPACE} --logs`);
  assert.match(tested, /^VM +STATE/m);
});

/** Waits for a line in the log of the agent. */
async function logged(line: RegExp): Promise<void> {
  const command = `kubectl --namespace ${NAMESPACE} logs daemonset/kubevirt-telemetry-agent`;
  await until(async () => line.test(await cluster.shell.run(command)) || undefined, `${line.source} in the log`);
}

test("a node that joins later gets an agent of its own", async (t) => {
  await cluster.install();
  const node = await cluster.addNode("node-b");
  atEnd(t, () => node[Symbol.asyncDispose]());
  const agents = `kubectl --namespace ${NAMESPACE} logs --selector ${AGENT} --prefix`;
  await until(async () => {
    const log = await cluster.shell.run(agents);
    return ["node-a", "node-b"].every((name) => log.includes(`"node":"${name}"`)) || undefined;
  }, "an agent on each node");
  await until(async () => {
    const pods = await podsOf(cluster.kube, NAMESPACE, AGENT);
    return (pods.length === 2 && pods.every(isReady)) || undefined;
  }, "both agents to be Ready");
});

test("an uninstallation leaves what the page says, and its last commands remove that too", async () => {
  const found = await objects();
  await cluster.install();
  await cluster.shell.run(`helm test kubevirt-telemetry --namespace ${NAMESPACE}`);
  const [uninstall = "", ...rest] = commandsOf(INSTALL, "Remove the release");
  await cluster.shell.run(uninstall);
  const pods = `--selector "app.kubernetes.io/component in (agent, controller)"`;
  await cluster.shell.run(`kubectl --namespace ${NAMESPACE} wait pod ${pods} --for=delete --timeout=60s`);
  const expected = [
    "APIService /v1alpha1.kubevirt-telemetry.io",
    `ConfigMap ${NAMESPACE}/kube-root-ca.crt`,
    "CustomResourceDefinition /nodetelemetries.kubevirt-telemetry.io",
    "CustomResourceDefinition /telemetryconfigs.kubevirt-telemetry.io",
    `Lease ${NAMESPACE}/kubevirt-telemetry-controller`,
    `Namespace /${NAMESPACE}`,
    "NodeTelemetry /node-a",
    `Pod ${NAMESPACE}/kubevirt-telemetry-test`,
    `Secret ${NAMESPACE}/influxdb`,
    `ServiceAccount ${NAMESPACE}/default`,
  ];
  let left: string[] = [];
  // Garbage is collected a moment after its owner.
  await until(async () => {
    left = [...(await objects()).difference(found)].sort();
    return left.length <= expected.length || undefined;
  }, "the garbage to be collected").catch(() => undefined);
  assert.deepEqual(left, expected);
  assert.deepEqual((await cluster.node.run("ls", "/var/lib")).trim().split("\n"), [
    "cni",
    "containerd",
    "kubelet",
    "kubevirt-telemetry",
  ]);
  for (const command of rest) await cluster.shell.run(command);
  await until(
    async () => ((await objects()).difference(found).size === 0 ? true : undefined),
    "every object of the chart to go",
  );
});
