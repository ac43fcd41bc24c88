import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CHART, RELEASE } from "../../scripts/helm.ts";
import { atEnd } from "../support/at-end.ts";
import { docBlocks } from "../support/docs.ts";
import { AGENT, ChartCluster, CONTROLLER, INSTALL, NAMESPACE } from "./support/node/chart-cluster.ts";
import { isReady, pidOf, podsOf, type RunningPod } from "./support/node/pods.ts";
import { SimulatedLauncher } from "./support/node/simulated-launcher.ts";
import { until } from "./support/process.ts";
import { createRuntimeClass } from "./support/runtime-class.ts";
import { missedTicks, RecordingSink } from "./support/recording-sink.ts";

// `helm install` on a real node: containerd runs the containers, and the kubelet probes them, mounts their volumes and gives
// them their tokens.

const VM = { namespace: "prod", name: "web" };
const INTERVAL_MS = 5_000;
/** The chart's default. */
const SPOOL = "/var/lib/kubevirt-telemetry";

const resources = new AsyncDisposableStack();
let cluster: ChartCluster;
let sink: RecordingSink;
/** What `helm install` printed. */
let notes: string;
/** The log of the agent before there is a TelemetryConfig. */
let firstLog: string;

before(async () => {
  cluster = resources.use(await ChartCluster.start());
  notes = await cluster.install();
  firstLog = await logOfAgent();
  resources.use(await SimulatedLauncher.start(cluster.kube, cluster.node, VM));
  sink = resources.use(await RecordingSink.start({ address: cluster.hostAddress }));
  await cluster.configure(sink, INTERVAL_MS);
  await newPoints(1);
});
after(() => resources.disposeAsync());

function logOfAgent(): Promise<string> {
  return cluster.shell.run(`kubectl --namespace ${NAMESPACE} logs daemonset/kubevirt-telemetry-agent`);
}

/** Waits for points of the VM, from this moment on. */
async function newPoints(count: number): Promise<void> {
  const before = pointsOfVm().length;
  await until(() => Promise.resolve(pointsOfVm().length >= before + count || undefined), `${count} points of the VM`);
}

function pointsOfVm() {
  return sink.points.filter(({ measurement, tags }) => measurement === "vm_metrics" && tags.get("name") === VM.name);
}

/** Reads a file of /proc about the first process of a container. */
async function procOf(pod: RunningPod, container: string, file: string): Promise<string> {
  return cluster.node.run("cat", `/proc/${await pidOf(cluster.node, pod, container)}/${file}`);
}

/** Resolves to the warnings about a pod, each as `reason: message`. */
async function warningsAbout({ metadata }: RunningPod): Promise<string[]> {
  const { items = [] } = await cluster.kube.call("GET", `/api/v1/namespaces/${NAMESPACE}/events`);
  const events = items as unknown as readonly {
    readonly type: string;
    readonly reason: string;
    readonly message: string;
    readonly involvedObject: { readonly uid: string };
  }[];
  return events
    .filter(({ type, involvedObject }) => type === "Warning" && involvedObject.uid === metadata.uid)
    .map(({ reason, message }) => `${reason}: ${message}`);
}

test("the agent and the controller start once, and the spool is prepared before", async () => {
  const agent = await cluster.ready(AGENT);
  const controller = await cluster.ready(CONTROLLER);
  const [spool] = agent.status.initContainerStatuses ?? [];
  assert.equal(spool?.name, "prepare-spool");
  assert.equal(spool.state.terminated?.exitCode, 0);
  for (const { status } of [agent, controller])
    assert.deepEqual(
      status.containerStatuses?.map(({ restartCount }) => restartCount),
      [0],
    );
  assert.match(notes, /is installed in the namespace kubevirt-telemetry: one agent on every node/);
});

test("without a TelemetryConfig the log of the agent says that nothing is collected", () => {
  assert.match(firstLog, /no Active TelemetryConfig selects this node: nothing is collected/);
});

test("pods that start on a busy machine cause no Warning event", async (t) => {
  const upgrade = `helm upgrade kubevirt-telemetry charts/kubevirt-telemetry --namespace ${NAMESPACE}`;
  atEnd(t, async () => {
    await cluster.shell.run(upgrade);
    await cluster.rolledOut();
  });
  const old = await Promise.all([AGENT, CONTROLLER].map((component) => cluster.ready(component)));
  await cluster.shell.run(`${upgrade} --set agent.resources.limits.cpu=250m,controller.resources.limits.cpu=250m`);
  for (const [index, component] of [AGENT, CONTROLLER].entries()) {
    const pod = await cluster.ready(component, { not: old[index]?.metadata.uid ?? "" });
    assert.deepEqual(await warningsAbout(pod), []);
  }
});

test("the agent is user 107 without capabilities, on a read-only file system", async () => {
  const agent = await cluster.ready(AGENT);
  const status = await procOf(agent, "agent", "status");
  assert.match(status, /^Uid:\s+107\s+107\s+107\s+107$/m);
  assert.match(status, /^Gid:\s+0\s+0\s+0\s+0$/m);
  for (const set of ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"])
    assert.match(status, new RegExp(`^${set}:\\s+0+$`, "m"), set);
  assert.match(status, /^NoNewPrivs:\s+1$/m);
  assert.match(status, /^Seccomp:\s+2$/m, "a filter");
  const mounts = await procOf(agent, "agent", "mountinfo");
  assert.match(mounts, / \/ \/ ro[, ]/, "the root");
  assert.match(mounts, / \/p ro[^\n]* master:\d+/, "the pods");
  assert.match(mounts, / \/spool rw[, ]/, "the spool");
});

test("the controller is a user without capabilities, on a read-only file system", async () => {
  const controller = await cluster.ready(CONTROLLER);
  const status = await procOf(controller, "controller", "status");
  assert.match(status, /^Uid:\s+65532\s/m);
  assert.match(status, /^CapBnd:\s+0+$/m);
  assert.match(await procOf(controller, "controller", "mountinfo"), / \/ \/ ro[, ]/);
});

test("the agent sees volumes of pods that start later, and releases those of pods that end", async (t) => {
  const agent = await cluster.ready(AGENT);
  const launcher = await SimulatedLauncher.start(cluster.kube, cluster.node, { namespace: "later", name: "db" });
  atEnd(t, () => launcher[Symbol.asyncDispose]());
  const memory = ` /p/${launcher.podUid}/volumes/kubernetes.io~empty-dir/memory `;
  assert.ok((await procOf(agent, "agent", "mountinfo")).includes(memory), "the mount of the new pod");
  await until(
    () => Promise.resolve(sink.points.find(({ tags }) => tags.get("name") === "db")),
    "a point of the new VM",
  );
  await launcher.end();
  await until(async () => {
    const mounts = await procOf(agent, "agent", "mountinfo");
    const pods = await cluster.node.run("ls", "/var/lib/kubelet/pods");
    return !mounts.includes(launcher.podUid) && !pods.includes(launcher.podUid) ? true : undefined;
  }, "the kubelet to remove the pod's directory");
});

test("helm upgrade and a deleted pod cost at most one cycle each", async () => {
  const agent = `kubectl --namespace ${NAMESPACE} delete pod --selector ${AGENT}`;
  const upgrade = `helm upgrade kubevirt-telemetry charts/kubevirt-telemetry --namespace ${NAMESPACE} --set logLevel=debug`;
  for (const command of [upgrade, agent]) {
    const from = pointsOfVm().length - 1;
    const { metadata } = await cluster.ready(AGENT);
    await cluster.shell.run(command);
    await cluster.ready(AGENT, { not: metadata.uid });
    await newPoints(1);
    assert.ok(missedTicks(pointsOfVm().slice(from), VM.name, INTERVAL_MS) <= 1, command);
  }
  await cluster.rolledOut();
});

test("kubectl get shows that the node collects and delivers", async () => {
  // A count alone is written every five minutes, and the launcher of an earlier test has ended. The first report of an agent may be
  // from before its first cycle.
  const node = /^nodetelemetry\S+\/node-a +True +default +[12] +1\/1 /m;
  await until(
    async () => {
      const text = await cluster.shell.run("kubectl get tcfg,nt");
      return (node.test(text) && /default +0 .* True +1\/1/.test(text)) || undefined;
    },
    "the reports",
    120_000,
  );
});

test("the documented command shows the lines of the node's VMs in an agent's pod", async () => {
  await cluster.ready(AGENT);
  const commands = docBlocks("docs/reference/command-line.md").filter(({ text }) => text.includes(" exec "));
  assert.equal(commands.length, 1);
  assert.match(await cluster.shell.run(commands[0]?.text ?? ""), /^vm_metrics,\S*name=\S+ /m);
});

test("the agent stays below the requests of the chart", async (t) => {
  await newPoints(3);
  const { metadata, spec } = await cluster.ready(AGENT);
  const [{ resources }] = spec?.["containers"] as [
    { readonly resources: { readonly requests: { readonly cpu: string; readonly memory: string } } },
  ];
  const maxBytes = Number.parseInt(resources.requests.memory, 10) * 2 ** 20;
  const maxNanocores = Number.parseInt(resources.requests.cpu, 10) * 1e6;
  const settled = async (): Promise<true | undefined> => {
    const { cpu = Number.NaN, memory = Number.NaN } = (await usageOf(metadata.name)) ?? {};
    t.diagnostic(`working set ${Math.round(memory / 2 ** 20)} MiB, CPU ${Math.round(cpu / 1e6)} m`);
    return (memory < maxBytes && cpu < maxNanocores) || undefined;
  };
  // The kubelet's CPU is that of some seconds. The start of a process takes more, the longer the slower the machine is.
  await until(settled, "an agent below its requests", 120_000);
});

test("the agent runs with every setting of ci/tuned-values.yaml, and its log is text", async () => {
  await createRuntimeClass(cluster.kube);
  const old = await cluster.ready(AGENT);
  const tuned = `${CHART}/ci/tuned-values.yaml`;
  await cluster.shell.run(`helm upgrade ${RELEASE} ${CHART} --namespace ${NAMESPACE} --values ${tuned}`);
  const agent = await cluster.ready(AGENT, { not: old.metadata.uid });
  await newPoints(1);
  assert.deepEqual(await warningsAbout(agent), []);
  await tokenIsOfTheValues(agent, "agent");
  const hasReported = async (): Promise<true | undefined> => (await reporter()) === agent.metadata.uid || undefined;
  await until(hasReported, "a report of the new agent", 120_000);
  assert.match(await procOf(agent, "agent", "status"), /^Groups:\s.*\b2000\b/m);
  assert.match(await procOf(agent, "agent", "cmdline"), /agent\0--log-level=debug\0$/);
  const environment = await procOf(agent, "agent", "environ");
  assert.match(environment, /\0EXTRA=yes\0/);
  assert.match(environment, /\0KUBEVIRT_TELEMETRY_VM_METRICS=true\0/);
  assert.match(environment, /\0KUBEVIRT_TELEMETRY_LAUNCHER_LIMIT=devices=2000\0/);
  assert.doesNotMatch(environment, /\0(KUBEVIRT_TELEMETRY_VMS_AGENT_SERVICE_HOST)=/, "a link to a Service");
  assert.equal(await procOf(agent, "agent", "root/extra/EXTRA"), "yes");
  assert.match(await procOf(agent, "agent", "root/etc/hosts"), /^192\.0\.2\.10\tinfluxdb\.example\.com$/m);
  assert.match(await procOf(agent, "agent", "root/etc/resolv.conf"), /^options ndots:2$/m);
  assert.match(await procOf(agent, "sidecar", "status"), /^Uid:\s+65534\s/m);
  const controllers = await until(async () => {
    const pods = await podsOf(cluster.kube, NAMESPACE, CONTROLLER);
    return pods.length === 2 && pods.every(isReady) ? pods : undefined;
  }, "two controllers");
  for (const controller of controllers) {
    assert.deepEqual(await warningsAbout(controller), []);
    assert.match(await procOf(controller, "controller", "status"), /^Uid:\s+10001\s/m);
    await tokenIsOfTheValues(controller, "controller");
  }
  const names = controllers.map(({ metadata }) => metadata.name);
  await until(
    async () => {
      const leader = await leaderName();
      return names.some((name) => leader.startsWith(`${name}_`)) || undefined;
    },
    "one of the new controllers to lead",
    120_000,
  );
  const log = await cluster.shell.run(`kubectl --namespace ${NAMESPACE} logs daemonset/${RELEASE}-vms-agent`);
  assert.match(log, /^\[\d\d:\d\d:\d\d\] INFO: started \{"version":/m);
});

/** Checks that the pod has no token but that of its volume `token`. */
async function tokenIsOfTheValues(pod: RunningPod, container: string): Promise<void> {
  const volumes = (pod.spec?.["volumes"] ?? []) as readonly { readonly name: string }[];
  assert.deepEqual(
    volumes.filter(({ name }) => name.startsWith("kube-api-access-")),
    [],
  );
  // Not as a file: /var/run is a link, which would lead to the node's own directory.
  assert.match(await procOf(pod, container, "mountinfo"), / \S+\/secrets\/kubernetes\.io\/serviceaccount ro[, ]/);
}

/** Resolves to the UID of the pod that has written the report of the node. */
async function reporter(): Promise<string | undefined> {
  const { status } = await cluster.kube.call("GET", "/apis/kubevirt-telemetry.io/v1alpha1/nodetelemetries/node-a");
  return (status as { readonly agent?: { readonly podUID: string } } | undefined)?.agent?.podUID;
}

async function leaderName(): Promise<string> {
  const lease = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/kubevirt-telemetry-controller`;
  return String((await cluster.kube.call("GET", lease)).spec?.["holderIdentity"]);
}

test("what removes the spool before an uninstallation leaves nothing of the agents on the node", async () => {
  const upgrade = `helm upgrade ${RELEASE} ${CHART} --namespace ${NAMESPACE} --reset-values`;
  const [documented] = docBlocks(INSTALL).filter(({ heading }) => heading === "Remove the queued lines");
  for (const remove of [documented?.text ?? "", `${upgrade} --values ${CHART}/ci/remove-spool-values.yaml`]) {
    const old = await cluster.ready(AGENT);
    await cluster.shell.run(upgrade);
    await cluster.ready(AGENT, { not: old.metadata.uid });
    await until(async () => (await cluster.node.run("ls", SPOOL)) !== "" || undefined, "files of the agent");
    await cluster.shell.run(remove);
    await until(async () => (await cluster.node.run("ls", SPOOL)) === "" || undefined, "an empty spool");
    const { status } = await cluster.ready(AGENT);
    assert.deepEqual(
      status.containerStatuses?.map(({ restartCount }) => restartCount),
      [0],
    );
  }
});

/** Resolves to the agent's use: nanocores and bytes of its working set. */
async function usageOf(pod: string): Promise<{ readonly cpu: number; readonly memory: number } | undefined> {
  const summary = await cluster.kube.call("GET", `/api/v1/nodes/${cluster.node.name}/proxy/stats/summary`);
  const { pods } = summary as unknown as {
    readonly pods: readonly {
      readonly podRef: { readonly name: string };
      readonly containers: readonly [
        {
          readonly cpu?: { readonly usageNanoCores?: number };
          readonly memory?: { readonly workingSetBytes?: number };
        },
      ];
    }[];
  };
  const [container] = pods.find(({ podRef }) => podRef.name === pod)?.containers ?? [];
  const [cpu, memory] = [container?.cpu?.usageNanoCores, container?.memory?.workingSetBytes];
  return cpu === undefined || memory === undefined ? undefined : { cpu, memory };
}
