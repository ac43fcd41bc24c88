import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { KubeCluster } from "./support/kube.ts";
import type { WatchEvent } from "./support/kube-api.ts";
import { until } from "./support/process.ts";
import { VMI_CRD } from "./support/vmi-crd.ts";

// Verifies on a real API server the behaviour that other tests rely on.

const VMIS = "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances";
const resources = new AsyncDisposableStack();
let cluster: KubeCluster;

before(async () => {
  cluster = resources.use(await KubeCluster.start({ controllers: true }));
  await cluster.apply(VMI_CRD);
});
after(() => resources.disposeAsync());

async function createVmi(name: string, node: string): Promise<void> {
  const labels = { "kubevirt.io/nodeName": node };
  const object = { apiVersion: "kubevirt.io/v1", kind: "VirtualMachineInstance", metadata: { name, labels }, spec: {} };
  await cluster.call("POST", VMIS, { body: object });
}

/** Patches a VMI; resolves to its new version. */
async function change(name: string, patch: object): Promise<string> {
  const contentType = "application/merge-patch+json";
  const { metadata } = await cluster.call("PATCH", `${VMIS}/${name}`, { body: patch, contentType });
  return metadata.resourceVersion;
}

async function next(events: AsyncGenerator<WatchEvent, void>): Promise<WatchEvent> {
  const { value } = await events.next();
  assert.ok(value, "the watch ended");
  return value;
}

test("a VMI has a short name, and its status is an ordinary field", async () => {
  await createVmi("short", "node-short");
  await change("short", { status: { phase: "Running", activePods: { "pod-uid": "node-short" } } });

  assert.match(await cluster.kubectl("get", "vmi", "short", "--output", "jsonpath={.status.phase}"), /^Running$/);
  assert.equal((await cluster.request("GET", `${VMIS}/short/status`)).status, 404);
});

test("a watch with a selector continues its list, and a changed label is a deletion", async () => {
  const selector = "labelSelector=kubevirt.io/nodeName=node-watch";
  await createVmi("watched", "node-watch");
  const list = await cluster.call("GET", `${VMIS}?${selector}`);
  assert.deepEqual(
    list.items?.map(({ metadata }) => metadata.name),
    ["watched"],
  );

  const events = cluster.watch(`${VMIS}?watch=1&${selector}&resourceVersion=${list.metadata.resourceVersion}`);
  await change("watched", { status: { phase: "Running" } });
  assert.equal((await next(events)).type, "MODIFIED");
  await change("watched", { metadata: { labels: { "kubevirt.io/nodeName": "elsewhere" } } });
  assert.equal((await next(events)).type, "DELETED");
  await events.return();
});

test("bookmarks arrive after the initial events and before a quiet watch ends", async () => {
  await createVmi("marked", "node-marked");
  const selector = "labelSelector=kubevirt.io/nodeName=node-marked";
  const initial = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan";
  const events = cluster.watch(`${VMIS}?watch=1&${selector}&allowWatchBookmarks=true&${initial}&timeoutSeconds=5`);

  assert.equal((await next(events)).object.metadata.name, "marked");
  const first = await next(events);
  assert.equal(first.type, "BOOKMARK");
  assert.equal(first.object.metadata.annotations?.["k8s.io/initial-events-end"], "true");

  // Another node's VMI moves the bookmark, although the watch does not see it.
  await createVmi("unseen", "elsewhere");
  const second = await next(events);
  assert.equal(second.type, "BOOKMARK");
  assert.ok(BigInt(second.object.metadata.resourceVersion) > BigInt(first.object.metadata.resourceVersion));
  for await (const { type } of events) assert.equal(type, "BOOKMARK", "nothing else until the watch ends by itself");
});

test("the objects of a Node are deleted with the Node", async () => {
  const node = await cluster.call("POST", "/api/v1/nodes", {
    body: { apiVersion: "v1", kind: "Node", metadata: { name: "node-owner" } },
  });
  const owned = "/apis/rbac.authorization.k8s.io/v1/clusterroles";
  const owner = { apiVersion: "v1", kind: "Node", name: "node-owner", uid: node.metadata.uid };
  const metadata = { name: "owned-by-node", ownerReferences: [owner] };
  await cluster.call("POST", owned, {
    body: { apiVersion: "rbac.authorization.k8s.io/v1", kind: "ClusterRole", metadata, rules: [] },
  });

  await cluster.kubectl("delete", "node", "node-owner");
  await until(
    async () => (await cluster.request("GET", `${owned}/owned-by-node`)).status === 404 || undefined,
    "the ClusterRole to be collected",
  );
});

test("a token bound to a pod names the pod's node, an unbound one does not", async () => {
  await cluster.apply(`apiVersion: v1
kind: Node
metadata: {name: node-token}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: agent, namespace: default}
---
apiVersion: v1
kind: Pod
metadata: {name: agent-pod, namespace: default}
spec:
  serviceAccountName: agent
  nodeName: node-token
  containers: [{name: agent, image: agent}]
`);
  const bound = await cluster.createServiceAccountToken("default", "agent", { boundPod: "agent-pod" });
  const unbound = await cluster.createServiceAccountToken("default", "agent");

  const nodeOf = async (token: string): Promise<readonly string[] | undefined> => {
    const review = { apiVersion: "authentication.k8s.io/v1", kind: "SelfSubjectReview" };
    const { status } = await cluster.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {
      token,
      body: review,
    });
    const { userInfo } = status as { userInfo: { username: string; extra: Record<string, readonly string[]> } };
    assert.equal(userInfo.username, "system:serviceaccount:default:agent");
    return userInfo.extra["authentication.kubernetes.io/node-name"];
  };
  assert.deepEqual(await nodeOf(bound), ["node-token"]);
  assert.equal(await nodeOf(unbound), undefined);
  assert.equal((await cluster.request("GET", VMIS, { token: bound })).status, 403);
});

test("a killed API server ends its watches and restarts with its data", async () => {
  await createVmi("survivor", "node-kill");
  const selector = "labelSelector=kubevirt.io/nodeName=node-kill";
  const events = cluster.watch(`${VMIS}?watch=1&${selector}`);
  assert.equal((await next(events)).type, "ADDED");

  const brokenOff = assert.rejects(events.next());
  await cluster.killApiServer();
  await brokenOff;
  await assert.rejects(cluster.request("GET", VMIS), { code: "ECONNREFUSED" });

  await cluster.startApiServer();
  assert.equal((await cluster.call("GET", `${VMIS}/survivor`)).metadata.name, "survivor");
});

test("compaction makes old resource versions 410 for lists and watches", async () => {
  await createVmi("compacted", "node-compact");
  const old = await change("compacted", { spec: { step: 1 } });
  await change("compacted", { spec: { step: 2 } });
  // A new server has no recent past in its cache and must ask etcd.
  await cluster.killApiServer();
  await cluster.startApiServer();
  const list = `${VMIS}?resourceVersion=${old}&resourceVersionMatch=Exact`;
  assert.equal((await cluster.request("GET", list)).status, 200, "etcd still knows the old version");

  await cluster.compact();
  assert.equal((await cluster.request("GET", list)).status, 410);
  const event = await next(cluster.watch(`${VMIS}?watch=1&resourceVersion=${old}`));
  assert.equal(event.type, "ERROR");
  assert.equal(event.object.code, 410);
});
