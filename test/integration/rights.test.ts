import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { render } from "../../scripts/helm.ts";
import type { KubeCluster } from "./support/kube.ts";
import type { ApiObject } from "./support/kube-api.ts";
import { AGENT, API, CONTROLLER, NAMESPACE, startTelemetryCluster } from "./support/telemetry-cluster.ts";

const NODES = `${API}/nodetelemetries`;
const VMIS = "/apis/kubevirt.io/v1/virtualmachineinstances";

const resources = new AsyncDisposableStack();
let cluster: KubeCluster;
/** Tokens of an agent's pod on node-a, an agent's pod on node-b, no pod, and the controller. */
let tokens: Readonly<Record<"a" | "b" | "unbound" | "controller", string>>;

before(async () => {
  cluster = resources.use(await startTelemetryCluster());
  await cluster.apply(["node-a", "node-b"].map(nodeWithAgent).join("---\n"));
  await cluster.apply(OBJECTS);
  const named = "secretNames={influxdb,central},configMapNames={company-ca}";
  await cluster.apply(render("--show-only", "templates/agent-rbac.yaml", "--set", named));
  tokens = {
    a: await cluster.createServiceAccountToken(NAMESPACE, AGENT, { boundPod: "agent-on-node-a" }),
    b: await cluster.createServiceAccountToken(NAMESPACE, AGENT, { boundPod: "agent-on-node-b" }),
    unbound: await cluster.createServiceAccountToken(NAMESPACE, AGENT),
    controller: await cluster.createServiceAccountToken(NAMESPACE, CONTROLLER),
  };
});
after(() => resources.disposeAsync());

function nodeWithAgent(node: string): string {
  return `apiVersion: v1
kind: Node
metadata: {name: ${node}}
---
apiVersion: v1
kind: Pod
metadata: {name: agent-on-${node}, namespace: ${NAMESPACE}}
spec:
  serviceAccountName: ${AGENT}
  nodeName: ${node}
  containers: [{name: agent, image: agent}]
`;
}

const OBJECTS = `apiVersion: v1
kind: Secret
metadata: {name: influxdb, namespace: ${NAMESPACE}}
---
apiVersion: v1
kind: Secret
metadata: {name: not-named, namespace: ${NAMESPACE}}
---
apiVersion: v1
kind: Secret
metadata: {name: influxdb, namespace: default}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: anyone, namespace: default}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: company-ca, namespace: ${NAMESPACE}}
`;

type Answer = Promise<{ readonly status: number; readonly body: ApiObject }>;

/** Server-side apply. */
function apply(token: string, path: string, object: object): Answer {
  const contentType = "application/apply-patch+yaml";
  return cluster.request("PATCH", `${path}?fieldManager=agent&force=true`, { token, body: object, contentType });
}

function report(token: string, node: string, { subresource = "" } = {}): Answer {
  return apply(token, `${NODES}/${node}${subresource}`, {
    apiVersion: "kubevirt-telemetry.io/v1alpha1",
    kind: "NodeTelemetry",
    metadata: { name: node },
    ...(subresource !== "" && { status: { libvirt: { versions: [], endpoints: 0, domains: 0 } } }),
  });
}

test("an agent writes the NodeTelemetry of its own node, with its status", async () => {
  for (const [token, node] of [
    [tokens.a, "node-a"],
    [tokens.b, "node-b"],
  ] as const) {
    assert.ok((await report(token, node)).status < 300);
    assert.equal((await report(token, node, { subresource: "/status" })).status, 200);
  }
});

test("an agent may set the Node as owner, also where that needs the right to delete", async () => {
  const { metadata } = await cluster.call("GET", "/api/v1/nodes/node-a", { token: tokens.a });
  const owner = { apiVersion: "v1", kind: "Node", name: "node-a", uid: metadata.uid };
  const owned = {
    apiVersion: "kubevirt-telemetry.io/v1alpha1",
    kind: "NodeTelemetry",
    metadata: { name: "node-a", ownerReferences: [owner] },
  };
  await report(tokens.a, "node-a");
  assert.equal((await apply(tokens.a, `${NODES}/node-a`, owned)).status, 200, "it was there");
  assert.equal((await cluster.request("DELETE", `${NODES}/node-a`, { token: tokens.a })).status, 200);
  assert.equal((await apply(tokens.a, `${NODES}/node-a`, owned)).status, 201, "it is new");
});

test("an agent is denied the NodeTelemetry of another node, existing or not", async () => {
  await report(tokens.b, "node-b");
  for (const node of ["node-b", "node-c"]) {
    const { status, body } = await report(tokens.a, node);
    assert.equal(status, 403);
    assert.match(body.message ?? "", /an agent on node node-a writes only the NodeTelemetry of that name/);
  }
  const { status, body } = await report(tokens.a, "node-b", { subresource: "/status" });
  assert.equal(status, 403);
  assert.match(body.message ?? "", /an agent on node node-a writes only the NodeTelemetry of that name/);
});

test("an agent cannot delete the NodeTelemetry of another node", async () => {
  await report(tokens.b, "node-b");
  assert.equal((await cluster.request("DELETE", `${NODES}/node-b`, { token: tokens.a })).status, 403);
  assert.equal((await cluster.request("DELETE", NODES, { token: tokens.a })).status, 403);
});

test("a generated name does not bypass the policy", async () => {
  const object = { apiVersion: "kubevirt-telemetry.io/v1alpha1", kind: "NodeTelemetry" };
  for (const metadata of [{ generateName: "node-" }, { name: "node-b2" }])
    assert.equal(
      (await cluster.request("POST", NODES, { token: tokens.a, body: { ...object, metadata } })).status,
      403,
    );
});

test("a token without a pod writes nothing", async () => {
  await report(tokens.a, "node-a");
  for (const subresource of ["", "/status"]) {
    const { status, body } = await report(tokens.unbound, "node-a", { subresource });
    assert.equal(status, 403);
    assert.match(body.message ?? "", /the token is not bound to a pod of a node/);
  }
});

test("an agent reads only the Secrets and ConfigMaps in the chart's values", async () => {
  const statusOf = async (path: string): Promise<number> =>
    (await cluster.request("GET", `/api/v1/namespaces/${path}`, { token: tokens.a })).status;
  assert.equal(await statusOf(`${NAMESPACE}/secrets/influxdb`), 200);
  assert.equal(await statusOf(`${NAMESPACE}/configmaps/company-ca`), 200);
  assert.equal(await statusOf(`${NAMESPACE}/secrets/not-named`), 403);
  assert.equal(await statusOf(`${NAMESPACE}/secrets`), 403);
  assert.equal(await statusOf("default/secrets/influxdb"), 403);
});

test("an agent lists and watches VMIs and TelemetryConfigs", async () => {
  const selector = `labelSelector=${encodeURIComponent("kubevirt.io/nodeName=node-a")}`;
  for (const path of [`${VMIS}?${selector}`, `${API}/telemetryconfigs`, "/api/v1/nodes/node-a"])
    assert.equal((await cluster.request("GET", path, { token: tokens.a })).status, 200, path);
  for (const path of [`${VMIS}?${selector}&`, `${API}/telemetryconfigs?`]) {
    const events = cluster.watch(`${path}watch=1&timeoutSeconds=1`, { token: tokens.a });
    for await (const { type, object } of events) assert.notEqual(type, "ERROR", object.message);
  }
});

interface ResourceRule {
  readonly verbs: readonly string[];
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
}

/** Resolves to the rights in a namespace that not every account has, such as `get secrets influxdb`. */
async function rights(token: string, namespace: string): Promise<string[]> {
  const of = async (whose: string): Promise<string[]> => {
    const { status } = await cluster.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {
      token: whose,
      body: { apiVersion: "authorization.k8s.io/v1", kind: "SelfSubjectRulesReview", spec: { namespace } },
    });
    return (status as { resourceRules: readonly ResourceRule[] }).resourceRules.flatMap(
      ({ verbs, apiGroups, resources: kinds, resourceNames = [""] }) =>
        verbs.flatMap((verb) =>
          apiGroups.flatMap((group) =>
            kinds.flatMap((kind) => resourceNames.map((name) => `${verb} ${kind}.${group} ${name}`.trim())),
          ),
        ),
    );
  };
  const everyones = await of(await cluster.createServiceAccountToken("default", "anyone"));
  return (await of(token)).filter((right) => !everyones.includes(right)).sort();
}

const AGENT_RIGHTS = [
  "create nodetelemetries.kubevirt-telemetry.io",
  "delete nodetelemetries.kubevirt-telemetry.io",
  "get nodes.",
  "list telemetryconfigs.kubevirt-telemetry.io",
  "list virtualmachineinstances.kubevirt.io",
  "patch nodetelemetries.kubevirt-telemetry.io",
  "patch nodetelemetries/status.kubevirt-telemetry.io",
  "watch telemetryconfigs.kubevirt-telemetry.io",
  "watch virtualmachineinstances.kubevirt.io",
];
const CONTROLLER_RIGHTS = [
  "list nodetelemetries.kubevirt-telemetry.io",
  "list telemetryconfigs.kubevirt-telemetry.io",
  "patch telemetryconfigs/status.kubevirt-telemetry.io",
  "watch nodetelemetries.kubevirt-telemetry.io",
  "watch telemetryconfigs.kubevirt-telemetry.io",
];

test("an agent has exactly these rights", async () => {
  assert.deepEqual(await rights(tokens.a, "default"), AGENT_RIGHTS);
  const own = ["influxdb", "central"].map((name) => `get secrets. ${name}`);
  assert.deepEqual(await rights(tokens.a, NAMESPACE), [...AGENT_RIGHTS, ...own, "get configmaps. company-ca"].sort());
});

test("the controller has exactly these rights", async () => {
  const events = ["", "events.k8s.io"].flatMap((group) => [`create events.${group}`, `patch events.${group}`]);
  assert.deepEqual(await rights(tokens.controller, "default"), [...CONTROLLER_RIGHTS, ...events].sort());
  const lease = ["get", "update"].map((verb) => `${verb} leases.coordination.k8s.io ${CONTROLLER}`);
  assert.deepEqual(
    await rights(tokens.controller, NAMESPACE),
    [...CONTROLLER_RIGHTS, "create leases.coordination.k8s.io", ...lease].sort(),
  );
});
