import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { cameWith } from "./support/audit-log.ts";
import { AGENT, ChartCluster } from "./support/node/chart-cluster.ts";
import { pidOf, type RunningPod } from "./support/node/pods.ts";
import { SimulatedLauncher } from "./support/node/simulated-launcher.ts";
import { until } from "./support/process.ts";
import { missedTicks, RecordingSink } from "./support/recording-sink.ts";

// What happens to a node while an agent runs on it: its kubelet and its containerd restart, and it loses power.

const VM = { namespace: "prod", name: "web" };
const INTERVAL_MS = 1_000;

const resources = new AsyncDisposableStack();
let cluster: ChartCluster;
let sink: RecordingSink;

before(async () => {
  cluster = resources.use(await ChartCluster.start());
  await cluster.install();
  resources.use(await SimulatedLauncher.start(cluster.kube, cluster.node, VM));
  sink = resources.use(await RecordingSink.start({ address: cluster.hostAddress }));
  await cluster.configure(sink, INTERVAL_MS);
  await pointSince(0);
});
after(() => resources.disposeAsync());

function pointsOfVm() {
  return sink.points.filter(({ measurement, tags }) => measurement === "vm_metrics" && tags.get("name") === VM.name);
}

function timesOfVm(): number[] {
  return pointsOfVm().map(({ timestamp }) => Number(timestamp / 1_000_000n));
}

/** Waits for a point of the VM that was collected after this time. */
async function pointSince(timeMs: number): Promise<void> {
  await until(() => Promise.resolve(timesOfVm().some((time) => time > timeMs) || undefined), "a later point of the VM");
}

function containersOf({ status }: RunningPod): (string | undefined)[] {
  return [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])].map(
    ({ containerID }) => containerID,
  );
}

async function tokenOf(agent: RunningPod): Promise<string> {
  const account = "var/run/secrets/kubernetes.io/serviceaccount/token";
  return cluster.node.run("cat", `/proc/${await pidOf(cluster.node, agent, "agent")}/root/${account}`);
}

/** Resolves to the number of cycles that the agent of a pod has run. */
async function cyclesOf(podIP: string): Promise<number> {
  const metrics = await (await fetch(`http://${podIP}:9090/metrics`)).text();
  return Number(/^kubevirt_telemetry_cycles_total (\d+)$/m.exec(metrics)?.[1]);
}

test("a restart of the kubelet and of containerd costs no container and at most one cycle", async () => {
  const agent = await cluster.ready(AGENT);
  const from = pointsOfVm().length;
  await cluster.node.stop("kubelet");
  await cluster.node.stop("containerd");
  await pointSince(Date.now() + 2 * INTERVAL_MS);
  await cluster.node.startContainerd();
  cluster.node.startKubelet();
  await cluster.kube.kubectl("wait", "--for=condition=Ready", "node", cluster.node.name, "--timeout=60s");
  await pointSince(Date.now() + 2 * INTERVAL_MS);
  assert.deepEqual(containersOf(await cluster.ready(AGENT)), containersOf(agent));
  // While containerd starts, two busy cores may delay a cycle by more than the interval.
  assert.ok(missedTicks(pointsOfVm().slice(from), VM.name, INTERVAL_MS) <= 1);
});

test("a kubelet that restarts renews the token, and the agent reports with the new one", async () => {
  const agent = await cluster.ready(AGENT);
  const old = await tokenOf(agent);
  await cluster.node.stop("kubelet");
  cluster.node.startKubelet();
  const token = await until(async () => {
    const now = await tokenOf(agent);
    return now === old ? undefined : now;
  }, "another token");
  await pointSince(Date.now());
  // The agent reads the file again after a minute, and reports a change of the configuration at once.
  await until(
    async () => {
      await cluster.configure(sink, INTERVAL_MS, { tags: { static: { changed: String(Date.now()) } } });
      await delay(5_000);
      return (await cameWith(token, cluster.kube.directory)) || undefined;
    },
    "a report with the new token",
    120_000,
  );
  assert.deepEqual(containersOf(await cluster.ready(AGENT)), containersOf(agent));
});

test("a node that loses power while the target is away delivers its queued lines afterwards", async (t) => {
  const port = Number(new URL(sink.url).port);
  await sink[Symbol.asyncDispose]();
  const away = Date.now();
  const { podIP = "" } = (await cluster.ready(AGENT)).status;
  const first = await cyclesOf(podIP);
  await until(async () => (await cyclesOf(podIP)) >= first + 6 || undefined, "cycles without the target");
  await cluster.node.losePower();
  const off = Date.now();
  await cluster.node.powerOn();
  sink = resources.use(await RecordingSink.start({ address: cluster.hostAddress, port }));
  await pointSince(Date.now());
  t.diagnostic(`the agent collects again ${Date.now() - off} ms after the loss`);
  // The last cycle may not have been on disk yet.
  const queued = () => timesOfVm().filter((time) => time > away && time < off - INTERVAL_MS);
  await until(() => Promise.resolve(queued().length >= 4 || undefined), "the lines of the outage");
  const lost = missedTicks(
    pointsOfVm().filter(({ timestamp }) => timestamp / 1_000_000n < BigInt(off)),
    VM.name,
    INTERVAL_MS,
  );
  assert.ok(lost <= 1, `${lost} cycles`);
});
