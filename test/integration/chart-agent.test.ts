import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test, type TestContext } from "node:test";
import { CHART } from "../../scripts/helm.ts";
import { ChartPod } from "./support/chart-pod.ts";
import { EmulatedNode } from "./support/emulated-node.ts";
import { Image } from "./support/image.ts";
import { JobRunner } from "./support/job-runner.ts";
import { KubeCluster } from "./support/kube.ts";
import { freePort, until } from "./support/process.ts";
import { RecordingSink } from "./support/recording-sink.ts";
import { Helm, list } from "./support/release.ts";
import { VMI_CRD } from "./support/vmi-crd.ts";
import { atEnd } from "../support/at-end.ts";

// The whole product without a kubelet: the image, the chart, a launcher with a guest, a target.

const NAMESPACE = "kubevirt-telemetry";
const NODE = "node-1";
const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };

const resources = new AsyncDisposableStack();
let image: Image;
let cluster: KubeCluster;
let node: EmulatedNode;

before(async () => {
  image = resources.use(await Image.build(version));
  cluster = resources.use(await KubeCluster.start({ controllers: true }));
  await cluster.apply(VMI_CRD);
  const labels = { "pod-security.kubernetes.io/enforce": "privileged" };
  await cluster.call("POST", "/api/v1/namespaces", {
    body: { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE, labels } },
  });
  node = resources.use(await EmulatedNode.create(cluster, NODE, { "kubernetes.io/os": "linux" }));
  await node.startVm({ namespace: "prod", name: "web" });
  resources.use(new JobRunner(cluster, NAMESPACE));
});
after(() => resources.disposeAsync());

/** The values of the chart for this machine. */
async function valuesFile(t: TestContext, launchers: string, url: string, port: number) {
  const directory = await mkdtemp(path.join(tmpdir(), "values-"));
  atEnd(t, () => rm(directory, { recursive: true, force: true }));
  const spool = path.join(directory, "spool");
  const target = { name: "sink", url, tls: { mode: "Plaintext" }, v1: { database: "telemetry" } };
  const values = {
    port,
    logLevel: "debug",
    agent: { launchers, podsDir: node.podsDir, spool: { hostPath: spool } },
    telemetryConfig: { create: true, name: launchers, spec: { collection: { interval: "1s" }, targets: [target] } },
  };
  const file = path.join(directory, "values.json");
  await writeFile(file, JSON.stringify(values));
  return { file, spool };
}

for (const [launchers, owner] of [
  ["nonroot", "107:0"],
  ["root", "0:0"],
] as const) {
  test(`the chart's agent for ${launchers} launchers collects, delivers and reports`, async (t) => {
    await using sink = await RecordingSink.start();
    const helm = await Helm.in(cluster, NAMESPACE);
    const port = await freePort();
    const { file, spool } = await valuesFile(t, launchers, sink.url, port);
    await helm.call("install", CHART, "--values", file);
    atEnd(t, async () => {
      await helm.call("uninstall");
      await helm[Symbol.asyncDispose]();
      await cluster.kubectl("delete", "telemetryconfigs", "--all");
      // Without a kubelet, nothing else reports that the pods have ended.
      await cluster.kubectl("delete", "pods", "--all", "--namespace", NAMESPACE, "--force", "--grace-period=0");
    });
    const pods = `/api/v1/namespaces/${NAMESPACE}/pods`;
    const pod = await until(async () => (await list(cluster, pods, "app.kubernetes.io/component=agent"))[0], "a pod");

    await using agent = await ChartPod.start(pod, { cluster, image, namespace: NAMESPACE, node: NODE });
    const metrics = await until(
      () => Promise.resolve(sink.points.find(({ measurement }) => measurement === "vm_metrics")),
      "a VM's metrics",
    );
    assert.equal(metrics.tags.get("namespace"), "prod");
    assert.equal(metrics.tags.get("name"), "web");
    assert.equal(metrics.tags.get("node"), NODE);
    for (const probe of ["/healthz", "/readyz"])
      assert.equal((await fetch(`http://127.0.0.1:${port}${probe}`)).status, 200, probe);
    const reported = await until(async () => {
      const { status } = await cluster.call("GET", `/apis/kubevirt-telemetry.io/v1alpha1/nodetelemetries/${NODE}`);
      const { config, agent: reporter } = status as Readonly<Record<string, Readonly<Record<string, string>>>>;
      return config?.["name"] === launchers ? reporter?.["podUID"] : undefined;
    }, "its report");
    assert.equal(reported, agent.uid);
    assert.equal(await agent.stop(), 0);
    const { uid, gid } = await stat(path.join(spool, "v1"));
    assert.equal(`${uid}:${gid}`, owner);
  });
}
