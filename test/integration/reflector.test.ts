import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Access } from "../../src/kubernetes/access.ts";
import { KubeApi } from "../../src/kubernetes/api.ts";
import { apply } from "../../src/kubernetes/apply.ts";
import { findAccess } from "../../src/kubernetes/find-access.ts";
import { LeaderElection } from "../../src/kubernetes/lease.ts";
import { Reflector, type ReflectorOptions } from "../../src/kubernetes/reflector.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { KubeCluster } from "./support/kube.ts";
import { until } from "./support/process.ts";
import { VMI_CRD } from "./support/vmi-crd.ts";

// The Kubernetes client with a real kube-apiserver and etcd that are killed, compacted and revoke tokens.

const VMIS = "/apis/kubevirt.io/v1/virtualmachineinstances";
const IN_DEFAULT = "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances";
const SERVICE_ACCOUNTS = "/api/v1/namespaces/default/serviceaccounts";
const CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";

const RIGHTS = `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: reader}
rules: [{apiGroups: [kubevirt.io], resources: [virtualmachineinstances], verbs: [list, watch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: reader}
subjects: [{kind: ServiceAccount, namespace: default, name: reader}]
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader, namespace: default}
`;

const resources = new AsyncDisposableStack();
let cluster: KubeCluster;

before(async () => {
  cluster = resources.use(await KubeCluster.start());
  await cluster.apply(`${VMI_CRD}---${RIGHTS}`);
});
after(() => resources.disposeAsync());

/** A client with the administrator's or other access, and all calls of its observers. */
class Client implements AsyncDisposable {
  readonly events: string[] = [];
  readonly api: KubeApi;
  readonly #reflectors: AsyncDisposable[] = [];

  constructor(readAccess: () => Promise<Access> = findAccess({ env: { KUBECONFIG: cluster.kubeconfig } })) {
    const observer = {
      connected: () => this.events.push("connected"),
      disconnected: ({ code }: { code: string }) => this.events.push(`disconnected ${code}`),
    };
    this.api = new KubeApi({ readAccess, clock: systemClock, userAgent: "integration test", observer });
  }

  /** Follows the phases of the VMIs of one node; each test has its own node. */
  reflect(node: string, options: Partial<ReflectorOptions<string>> = {}): Reflector<string> {
    const reflector = new Reflector<string>({
      client: this.api,
      path: VMIS,
      query: { labelSelector: `kubevirt.io/nodeName=${node}` },
      freshness: "any",
      project: (vmi) => (vmi as { status?: { phase?: string } }).status?.phase ?? "none",
      observer: {
        listed: ({ missed }) => this.events.push(`listed, missed ${missed}`),
        denied: ({ message }) => this.events.push(`denied ${message}`),
        interrupted: ({ message }) => this.events.push(`interrupted ${message}`),
        resumed: () => this.events.push("resumed"),
        faulted: (error) => this.events.push(`faulted ${String(error)}`),
      },
      clock: systemClock,
      ...options,
    });
    this.#reflectors.push(reflector);
    reflector.start();
    return reflector;
  }

  async until(what: string, holds: () => boolean): Promise<void> {
    await until(() => Promise.resolve(holds() || undefined), `${what}; ${this.events.join("; ")}`, 180_000);
  }

  count(event: RegExp): number {
    return this.events.filter((each) => event.test(each)).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const reflector of this.#reflectors) await reflector[Symbol.asyncDispose]();
    await this.api[Symbol.asyncDispose]();
  }
}

async function createVmi(name: string, node: string): Promise<void> {
  const metadata = { name, labels: { "kubevirt.io/nodeName": node } };
  const body = { apiVersion: "kubevirt.io/v1", kind: "VirtualMachineInstance", metadata, spec: {} };
  await cluster.call("POST", IN_DEFAULT, { body });
}

async function change(name: string, body: object): Promise<void> {
  await cluster.call("PATCH", `${IN_DEFAULT}/${name}`, { body, contentType: "application/merge-patch+json" });
}

test("a reflector follows the VMIs of a node, and removes one that leaves it", async () => {
  await createVmi("there", "follow");
  await createVmi("elsewhere", "other");
  await using client = new Client();
  const seen: string[] = [];
  const reflector = client.reflect("follow", {
    onChange: ({ key, before, after }) => seen.push(`${key} ${before} ${after}`),
  });
  assert.equal(await reflector.synced, true);
  await change("there", { status: { phase: "Running" } });
  await createVmi("new", "follow");
  await client.until("both have arrived", () => reflector.objects.size === 2 && seen.length >= 3);
  await change("there", { metadata: { labels: { "kubevirt.io/nodeName": "other" } } });
  await client.until("it has left", () => reflector.objects.size === 1);
  assert.deepEqual(seen, [
    "default/there undefined none",
    "default/there none Running",
    "default/new undefined none",
    "default/there Running undefined",
  ]);
  assert.deepEqual(client.events, ["connected", "listed, missed 0"]);
});

test("a reflector misses no change around a restart of the API server", async () => {
  await createVmi("before", "restart");
  await using client = new Client();
  const reflector = client.reflect("restart");
  await reflector.synced;
  await cluster.killApiServer();
  await client.until("it is noticed", () => client.count(/^disconnected/) === 1);
  await cluster.startApiServer();
  await createVmi("after", "restart");
  await client.until("it has arrived", () => reflector.objects.has("default/after"));
  await change("before", { status: { phase: "Running" } });
  await client.until("it is followed again", () => reflector.objects.get("default/before") === "Running");
  assert.equal(client.count(/^disconnected/), 1);
  assert.equal(client.count(/^faulted/), 0);
});

test("after a 410 for a compacted version a list finds the missed changes", async () => {
  for (const name of ["stays", "changes", "deleted"]) await createVmi(name, "compact");
  let cut = false;
  const readAccess = findAccess({ env: { KUBECONFIG: cluster.kubeconfig } });
  await using client = new Client(async () => {
    const access = await readAccess();
    return cut ? { ...access, server: new URL("https://127.0.0.1:1") } : access;
  });
  const reflector = client.reflect("compact");
  await reflector.synced;
  cut = true;
  await cluster.killApiServer();
  await cluster.startApiServer();
  await change("changes", { status: { phase: "Running" } });
  await cluster.call("DELETE", `${IN_DEFAULT}/deleted`);
  await createVmi("created", "compact");
  await cluster.compact();
  // The server's cache begins now.
  await cluster.killApiServer();
  await cluster.startApiServer();
  cut = false;
  await client.until("it has listed", () => client.count(/^listed/) === 2);
  assert.ok(client.count(/^interrupted .* 410 /) > 0, client.events.join("; "));
  assert.equal(client.events.at(-1), "listed, missed 3");
  assert.deepEqual(Object.fromEntries(reflector.objects), {
    "default/stays": "none",
    "default/changes": "Running",
    "default/created": "none",
  });
});

test("a revoked token is denied, and a new one continues", async () => {
  const readAccess = findAccess({ env: { KUBECONFIG: await cluster.kubeconfigOf("default", "reader") } });
  await using client = new Client(readAccess);
  await createVmi("first", "token");
  const reflector = client.reflect("token");
  assert.equal(await reflector.synced, true);
  await cluster.call("DELETE", `${SERVICE_ACCOUNTS}/reader`);
  // The open watch outlives its token; a new watch is denied.
  await cluster.killApiServer();
  await cluster.startApiServer();
  await client.until("it is denied", () => client.count(/^denied .* 401 Unauthorized$/) > 0);
  const body = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "reader" } };
  await cluster.call("POST", SERVICE_ACCOUNTS, { body });
  await cluster.kubeconfigOf("default", "reader");
  await createVmi("second", "token");
  await client.until("it has arrived", () => reflector.objects.size === 2);
  assert.equal(client.count(/eyJ/), 0);
});

test("a long list comes in pages over one connection", async () => {
  const names = Array.from({ length: 1_050 }, (_, index) => `page-${index}`);
  await using client = new Client();
  const labels = { "made-by": "page-test" };
  const create = (name: string) =>
    client.api.request({ method: "POST", path: CONFIG_MAPS, body: { metadata: { name, labels } } });
  for (let at = 0; at < names.length; at += 50) {
    const answers = await Promise.all(names.slice(at, at + 50).map(create));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [201]);
  }
  const limits: unknown[] = [];
  const counting: ReflectorOptions<string>["client"] = {
    request: (request) => {
      limits.push(request.query?.["limit"]);
      return client.api.request(request);
    },
    watch: (request) => client.api.watch(request),
  };
  const reflector = client.reflect("", {
    client: counting,
    path: CONFIG_MAPS,
    query: { labelSelector: "made-by=page-test" },
    freshness: "newest",
    project: () => "there",
  });
  assert.equal(await reflector.synced, true);
  assert.deepEqual([limits, reflector.objects.size], [[500, 500, 500], 1_050]);
  assert.deepEqual(client.events, ["connected", "listed, missed 0"]);
});

test("server-side apply without a change keeps the version, and takes fields from another manager", async () => {
  await using client = new Client();
  const path = `${CONFIG_MAPS}/applied`;
  const send = (fieldManager: string, value: string) =>
    apply(client.api, {
      path,
      object: { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "applied" }, data: { key: value } },
      fieldManager,
      nowMs: Date.now(),
    });
  const outcomes = [await send("one", "a"), await send("one", "a"), await send("two", "b")];
  const [first, second, third] = outcomes.map((outcome) => {
    assert.equal(outcome.kind, "applied");
    return outcome.object as { data: unknown; metadata: { resourceVersion: string } };
  });
  assert.equal(first?.metadata.resourceVersion, second?.metadata.resourceVersion);
  assert.deepEqual(third?.data, { key: "b" });
});

test("of two candidates one leads, and the other takes over when it ends", async () => {
  await using client = new Client();
  const leading: string[] = [];
  const candidate = (identity: string) => {
    const stop = new AbortController();
    const observer = {
      acquired: () => leading.push(identity),
      lost: () => assert.fail("nothing takes it away"),
      failed: ({ message }: { message: string }) => client.events.push(`failed ${message}`),
    };
    const options = { client: client.api, namespace: "default", name: "leader", identity, observer };
    const work = (signal: AbortSignal): Promise<void> =>
      new Promise((resolve) => {
        signal.addEventListener("abort", () => {
          resolve();
        });
      });
    const running = new LeaderElection({ ...options, clock: systemClock }).run(work, stop.signal);
    return { stop, running };
  };
  const first = candidate("first");
  await client.until("one leads", () => leading.length === 1);
  const second = candidate("second");
  await systemClock.sleep(6_000);
  assert.deepEqual(leading, ["first"]);
  first.stop.abort();
  await first.running;
  await client.until("the other leads", () => leading.length === 2);
  second.stop.abort();
  await second.running;
  assert.equal(client.count(/^failed/), 0);
});
