import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { projectVmi } from "../../../src/discovery/vmi.ts";
import { domainNameOf, splitDomainName } from "../../../src/discovery/domain-name.ts";

test("a VMI is reduced to the fields that the agent needs", () => {
  const vmi = projectVmi({
    metadata: {
      namespace: "shop",
      name: "web",
      uid: "u1",
      labels: { app: "shop", "kubevirt.io/nodeName": "node-1" },
      annotations: { owner: "team-a", "kubectl.kubernetes.io/last-applied-configuration": "x".repeat(257) },
      managedFields: [{}],
    },
    spec: { domain: { firmware: { uuid: "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01" } } },
    status: { nodeName: "node-1", activePods: { "pod-1": "node-1", "pod-2": "node-2" }, phase: "Running" },
  });
  assert.deepEqual(vmi, {
    namespace: "shop",
    name: "web",
    uid: "u1",
    firmwareUuid: "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01",
    labels: { app: "shop", "kubevirt.io/nodeName": "node-1" },
    annotations: { owner: "team-a" },
    nodeName: "node-1",
    pods: ["pod-1", "pod-2"],
  });
});

test("a new VMI has no node and no pods", () => {
  const vmi = projectVmi({ metadata: { namespace: "shop", name: "web", uid: "u1" } });
  assert.deepEqual([vmi?.nodeName, vmi?.pods, vmi?.labels], [undefined, [], {}]);
});

test("a pod needs no node name, but KubeVirt's first entry without a UID is ignored", () => {
  const activePods = { "": "", "pod-1": "", "pod-2": "node-2" };
  const vmi = projectVmi({ metadata: { namespace: "shop", name: "web", uid: "u1" }, status: { activePods } });
  assert.deepEqual(vmi?.pods, ["pod-1", "pod-2"]);
});

test("a VMI's UUID is in lower case with dashes; an invalid one is undefined", () => {
  const uuidOf = (uuid: unknown): string | undefined =>
    projectVmi({
      metadata: { namespace: "shop", name: "web", uid: "u1" },
      spec: { domain: { firmware: { uuid } } },
    })?.firmwareUuid;
  assert.equal(uuidOf("6B6F8C52-3f5e-4e2a-9a53-0c4f9c1f7a01"), "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01");
  for (const other of [
    "",
    "web",
    7,
    {},
    undefined,
    "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01\n",
    "6b6f8c523f5e4e2a9a530c4f9c1f7a01",
  ])
    assert.equal(uuidOf(other), undefined, JSON.stringify(other));
});

test("any other value is not a VMI", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (object) => {
      const vmi = projectVmi(object);
      assert.ok(vmi === undefined || typeof vmi.name === "string");
    }),
  );
  assert.equal(projectVmi(undefined), undefined);
  assert.equal(projectVmi({ metadata: { name: "web", namespace: 3, uid: "u" } }), undefined);
});

test("a domain name is namespace and name of its VMI with an underscore between", () => {
  assert.equal(domainNameOf({ namespace: "shop", name: "web.1" }), "shop_web.1");
  assert.deepEqual(splitDomainName("shop_web.1"), { namespace: "shop", name: "web.1" });
  for (const other of ["web", "_web", "shop_", "a_b_c", ""]) assert.equal(splitDomainName(other), undefined, other);
});
