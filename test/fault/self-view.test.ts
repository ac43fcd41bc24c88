// The status page, metrics and health of agents and controllers over HTTP.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { SimulatedHost } from "../../src/simulator/simulated-host.ts";
import { SimulatorServer } from "../../src/simulator/server.ts";
import { SyntheticDomain } from "../../src/simulator/synthetic-domain.ts";
import { CertificateAuthority } from "../support/certificates.ts";
import { run } from "../support/command-line.ts";
import { configObject, configText } from "../support/config.ts";
import { until } from "../support/delivery.ts";
import { FakeApiserver } from "../support/fake-apiserver.ts";
import { FakeInflux } from "../support/fake-influx.ts";
import { serving } from "../support/pages.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { atEnd } from "../support/at-end.ts";

function specFor(url: string): object {
  const targets = [
    { name: "main", url, tls: { mode: "Plaintext" }, flush: { interval: "100ms" }, v1: { database: "d" } },
  ];
  return { collection: { interval: "1s" }, targets };
}

async function libvirt(t: TestContext, socket: string, host = SimulatedHost.of(3, { nics: 1, disks: 1, seed: 1 })) {
  const server = await SimulatorServer.start(socket, host);
  atEnd(t, () => server[Symbol.asyncDispose]());
  return host;
}

/** Returns the arguments of an agent on a plain host with three domains, its target and its configuration file. */
async function plainHost(t: TestContext) {
  const directory = await temporaryDirectory(t);
  const [socket, config] = [path.join(directory, "sock"), path.join(directory, "config.yaml")];
  const host = await libvirt(t, socket);
  const influx = await FakeInflux.start({ version: "v1" });
  atEnd(t, () => influx[Symbol.asyncDispose]());
  await writeFile(config, configText(specFor(influx.url)));
  const spool = path.join(directory, "spool");
  const args = ["agent", "--config", config, "--libvirt-socket", socket, "--spool-dir", spool, "--node-name", "host-1"];
  return { args, host, influx, config };
}

test("an agent serves the metrics of its domains, calls, lines and targets", async (t) => {
  const { args } = await plainHost(t);
  const agent = await serving(t, args);
  const value = (name: string, labels?: string) => agent.metric(`kubevirt_telemetry_${name}`, labels);
  await until("lines are delivered", async () => ((await value("target_sent_lines_total", 'target="main"')) ?? 0) > 30);
  assert.equal(await value("domains"), 3);
  assert.equal(await value("endpoints", 'state="up"'), 1);
  assert.ok(((await value("libvirt_calls_total")) ?? 0) > 10);
  assert.ok(((await value("cycles_total")) ?? 0) >= 2);
  assert.equal(await value("target_state", 'target="main",state="Delivering"'), 1);
  assert.ok(((await value("spool_syncs_total")) ?? 0) >= 2);
  assert.equal(await value("rejected_kept_lines_total"), 0);
  const page = await agent.get("/");
  for (const text of ["<h1>host-1</h1>", "healthy", "vm-003"]) assert.ok(page.body.includes(text), text);
  assert.deepEqual(await agent.get("/readyz"), { status: 200, body: "ok\n" });
});

test("faults outside of the agent are shown, and the agent stays healthy and ready", async (t) => {
  const { args, host, influx, config } = await plainHost(t);
  const agent = await serving(t, args);
  const value = (name: string, labels?: string) => agent.metric(`kubevirt_telemetry_${name}`, labels);
  influx.fault = { kind: "status", status: 503 };
  host.stuck.add("vm-002");
  atEnd(t, () => {
    host.release("vm-002");
  });
  await until("a call waits for the QEMU", async () => (await value("libvirt_held_workers")) === 1);
  assert.equal(await value("stuck_domains"), 0, "the VM does not count as stuck at once");
  await until("the target fails", async () => (await value("target_state", 'target="main",state="Failing"')) === 1);
  assert.ok(((await value("target_queue_lines", 'target="main"')) ?? 0) > 0);
  await writeFile(config, "no configuration");
  agent.child.kill("SIGHUP");
  await until("the fault is seen", async () => (await value("config_fault", 'reason="E_CONFIG_INVALID"')) === 1);
  host.freeze();
  await until("libvirt fails", async () => (await value("endpoints", 'state="failed"')) === 1);
  assert.ok(((await value("libvirt_errors_total", 'code="E_LIBVIRT_TIMEOUT"')) ?? 0) >= 1);
  assert.match((await agent.get("/")).body, /3 problems/);
  for (const path of ["/healthz", "/readyz"]) assert.deepEqual(await agent.get(path), { status: 200, body: "ok\n" });
  host.thaw();
});

test("an agent that is ending is not ready while it delivers the queued lines", async (t) => {
  const { args, influx } = await plainHost(t);
  influx.fault = { kind: "status", status: 503 };
  const agent = await serving(t, args);
  const queue = (): Promise<number | undefined> =>
    agent.metric("kubevirt_telemetry_target_queue_lines", 'target="main"');
  await until("lines are queued", async () => ((await queue()) ?? 0) > 0);
  const ended = once(agent.child, "exit");
  agent.child.kill("SIGTERM");
  await until("it reports the shutdown", async () => (await agent.get("/readyz")).body === "shutting down\n");
  assert.deepEqual(await ended, [0, null]);
});

test("a port in use ends the start with its reason and releases the spool", async (t) => {
  const { args } = await plainHost(t);
  const taken = createServer().listen(0, "127.0.0.1");
  atEnd(t, () => taken.close());
  await once(taken, "listening");
  const { port } = taken.address() as AddressInfo;
  const { exitCode, stderr } = await run([...args, "--listen", `127.0.0.1:${port}`]);
  assert.equal(exitCode, 1);
  assert.match(stderr, /^error: E_LISTEN: cannot listen on 127\.0\.0\.1:\d+: .* --listen off$/m);
  const byHand = await run([...args, "--once"], { KUBEVIRT_TELEMETRY_LISTEN: "" });
  assert.equal(byHand.exitCode, 0, byHand.stderr);
  assert.doesNotMatch(byHand.stdout, /serving/, "--once serves nothing without --listen");
});

/** Starts an API server with a Node, for an agent or a controller. */
async function cluster(t: TestContext) {
  const directory = await temporaryDirectory(t);
  const authority = new CertificateAuthority("kubernetes");
  atEnd(t, () => {
    authority[Symbol.dispose]();
  });
  const server = await FakeApiserver.start(authority.issue("apiserver", "IP:127.0.0.1"));
  atEnd(t, () => server[Symbol.asyncDispose]());
  const node = { name: "worker-7", uid: "n1" };
  server.objects.put("/api/v1/nodes", { metadata: node });
  const caData = Buffer.from(authority.cert).toString("base64");
  const kubeconfig = path.join(directory, "kubeconfig");
  await writeFile(
    kubeconfig,
    JSON.stringify({
      clusters: [{ name: "c", cluster: { server: server.url, "certificate-authority-data": caData } }],
      users: [{ name: "u", user: { token: "a-token" } }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u", namespace: "telemetry" } }],
      "current-context": "x",
    }),
  );
  const addConfig = (spec: object, status?: object): void => {
    const metadata = { name: "default", uid: "u1", generation: 4, creationTimestamp: "2026-01-01T00:00:00Z" };
    server.objects.put(CONFIGS, { ...configObject(spec), metadata, ...(status !== undefined && { status }) });
  };
  return { directory, server, addConfig, variables: { KUBECONFIG: kubeconfig } };
}

const CONFIGS = "/apis/kubevirt-telemetry.io/v1alpha1/telemetryconfigs";
const VMIS = "/apis/kubevirt.io/v1/virtualmachineinstances";
/** Its launcher is the pod `uid-1` of the node `worker-7`. */
const VMI = {
  metadata: { namespace: "shop", name: "web-1", uid: "u2", labels: { "kubevirt.io/nodeName": "worker-7" } },
  status: { nodeName: "worker-7", activePods: { "uid-1": "worker-7" } },
};

test("an agent in a cluster is ready without a configuration, and later shows it and its watches", async (t) => {
  const { directory, server, addConfig, variables } = await cluster(t);
  server.objects.put(VMIS, VMI);
  const runtime = path.join(directory, "pods/uid-1/volumes/kubernetes.io~empty-dir/libvirt-runtime");
  await mkdir(runtime, { recursive: true });
  const host = new SimulatedHost();
  host.addDomain(new SyntheticDomain(1, { nics: 1, disks: 1, seed: 1 }, { name: "shop_web-1" }));
  await libvirt(t, path.join(runtime, "virtqemud-sock"), host);
  const args = ["agent", "--node-name", "worker-7", "--pods-dir", path.join(directory, "pods")];
  const agent = await serving(t, args, variables);
  await until("it is ready", async () => (await agent.get("/readyz")).body === "ok\n");
  assert.match((await agent.get("/")).body, /not configured/);
  addConfig(specFor("http://127.0.0.1:9"));
  const value = (name: string, labels?: string) => agent.metric(`kubevirt_telemetry_${name}`, labels);
  await until("it has the configuration", async () => (await value("config_generation")) === 4);
  await until("it has the domain", async () => (await value("domains")) === 1);
  assert.equal(await value("kubernetes_objects", 'resource="TelemetryConfigs"'), 1);
  assert.equal(await value("kubernetes_lists_total", 'resource="VMIs with kubevirt.io/nodeName"'), 1);
  const { body } = await agent.get("/");
  for (const text of ["<h1>worker-7</h1>", "shop/web-1", "default, generation 4"]) assert.ok(body.includes(text), text);
});

test("a controller shows whether it leads, and the nodes of each TelemetryConfig", async (t) => {
  const { addConfig, variables } = await cluster(t);
  const nodes = { selected: 5, governed: 4, ready: 3, degraded: 1, stale: 0 };
  addConfig(specFor("http://127.0.0.1:9"), { conditions: [], nodes });
  const controller = await serving(t, ["controller", "--identity", "pod-a"], variables);
  for (const path of ["/healthz", "/readyz"])
    assert.deepEqual(await controller.get(path), { status: 200, body: "ok\n" });
  const value = (name: string, labels?: string) => controller.metric(`kubevirt_telemetry_controller_${name}`, labels);
  await until("it leads", async () => (await value("leading")) === 1);
  await until("it knows the status", async () => (await value("config_nodes", 'config="default",state="ready"')) === 3);
  const { body } = await controller.get("/");
  for (const text of ["leader", "as pod-a", "default", "NodeTelemetries"]) assert.ok(body.includes(text), text);
});
