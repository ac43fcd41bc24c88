import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { nodeReport } from "../../src/status/node-report.ts";
import { docBlocks } from "../support/docs.ts";
import { observation } from "../support/observation.ts";
import { DocShell } from "./support/doc-shell.ts";
import { JobRunner } from "./support/job-runner.ts";
import { KubeCluster } from "./support/kube.ts";
import { ReadyNodes } from "./support/ready-nodes.ts";
import { wantedPods } from "./support/release.ts";
import { VMI_CRD } from "./support/vmi-crd.ts";

const PAGES = {
  readme: "README.md",
  install: "docs/install.md",
  upgrade: "docs/upgrade.md",
  runbook: "docs/runbook.md",
};
const NAMESPACE = "kubevirt-telemetry";
const CONFIG = "/apis/kubevirt-telemetry.io/v1alpha1/telemetryconfigs/default";
const REPORTS = "/apis/kubevirt-telemetry.io/v1alpha1/nodetelemetries";

const commands = Object.entries(PAGES).flatMap(([page, file]) =>
  docBlocks(file).flatMap((block) => (block.language === "sh" ? [{ page, ...block }] : [])),
);

const resources = new AsyncDisposableStack();
let cluster: KubeCluster;
let shell: DocShell;

before(async () => {
  cluster = resources.use(await KubeCluster.start({ controllers: true }));
  shell = resources.use(await DocShell.on(cluster));
  await cluster.apply(VMI_CRD);
  resources.use(await ReadyNodes.create(cluster, ["node-a"], { "kubernetes.io/os": "linux" }));
  resources.use(new JobRunner(cluster, NAMESPACE));
});
after(() => resources.disposeAsync());
// A test that fails half-way leaves objects behind.
afterEach(() =>
  shell.run(`helm uninstall kubevirt-telemetry --namespace ${NAMESPACE} --ignore-not-found
    kubectl delete --filename manifests/install.yaml --ignore-not-found --timeout=60s`),
);

function follow(page: keyof typeof PAGES, heading: string): Promise<string> {
  return shell.follow(PAGES[page], heading);
}

test("install, upgrade, rollback and uninstallation work as documented", async () => {
  await follow("install", "1. Create the namespace");
  await follow("install", "2. Store the target's token");
  await follow("install", "3. Install the chart");
  assert.equal(await wantedPods(cluster, NAMESPACE, "kubevirt-telemetry-agent"), 1);
  await follow("install", "4. Create a TelemetryConfig");
  assert.match(await follow("install", "5. Check that it works"), /\/default +0 +5s /);
  await followRunbook();
  assert.match(await follow("upgrade", "Upgrade"), /has been upgraded/);
  assert.match(await follow("upgrade", "Roll back"), /Rollback was a success/);
  assert.equal((await cluster.request("GET", CONFIG)).status, 200);
  await follow("install", "Remove the release");
  assert.equal((await cluster.request("GET", CONFIG)).status, 404);
});

/** Runs the commands of the runbook that need no agent, with the report of a node that has a fault. */
async function followRunbook(): Promise<void> {
  const kind = { apiVersion: "kubevirt-telemetry.io/v1alpha1", kind: "NodeTelemetry", metadata: { name: "node-a" } };
  await cluster.call("POST", REPORTS, { body: kind });
  const fault = { reason: "SecretNotFound", message: "there is no Secret influxdb" } as const;
  const status = nodeReport(observation({ configFault: fault }), undefined, Date.now());
  const patch = { body: { status }, contentType: "application/merge-patch+json" };
  await cluster.call("PATCH", `${REPORTS}/node-a/status`, patch);
  const headings = commands.flatMap(({ page, heading, notRun }) => (page === "runbook" && !notRun ? [heading] : []));
  const answers = new Map<string, string>();
  for (const heading of new Set(headings)) answers.set(heading, await follow("runbook", heading));
  const outputOf = (heading: string): string => answers.get(heading) ?? "";
  assert.match(outputOf("First steps"), /there is no Secret influxdb/);
  assert.equal(outputOf("KubevirtTelemetryConfigFault"), "SecretNotFound: there is no Secret influxdb");
  assert.match(outputOf("KubevirtTelemetryApiServerSilent"), /^yes$/m);
  assert.match(outputOf("KubevirtTelemetryTargetFailing"), /node-a +main +Delivering/);
  assert.match(outputOf("KubevirtTelemetryNodesNotReady"), /node-a +False +SecretNotFound/);
}

test("the quick start of the README ends with an agent on every node and a configuration", async () => {
  assert.match(await follow("readme", "Run it on Kubernetes"), /\/default +0 +5s /);
  assert.equal(await wantedPods(cluster, NAMESPACE, "kubevirt-telemetry-agent"), 1);
});

test("Helm can take over the objects that kubectl has installed", async () => {
  await follow("install", "Install without Helm");
  const agent = `/apis/apps/v1/namespaces/${NAMESPACE}/daemonsets/kubevirt-telemetry-agent`;
  const { uid } = (await cluster.call("GET", agent)).metadata;
  await follow("upgrade", "From kubectl to Helm");
  assert.equal((await cluster.call("GET", agent)).metadata.uid, uid, "the object was not replaced");
});

test("every command of these pages was run or says why not", () => {
  const left = commands.filter(
    (block) => block.page !== "readme" && !shell.ran.has(block.text) && block.notRun === undefined,
  );
  assert.deepEqual(left, []);
});
