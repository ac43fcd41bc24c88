import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { projectVmi } from "../../../src/discovery/vmi.ts";
import { domainNameOf, splitDomainName } from "../../../src/discovery/domain-name.ts";

test("a VMI is reduced to what the agent needs", () => {
  const vmi = projectVmi({
    metadata: {
      namespace: "shop",
      name: "web",
      uid: "u1",
      labels: { app: "shop", "kubevirt.io/nodeName": "node-1" },
      annotations: { owner: "team-a", "kubectl.kubernetes.io/last-applied-configuration": "x".repeat(257) },
      managedFields: [{}],
    },
    spec: { domain: {} },
    status: { nodeName: "node-1", activePods: { "pod-1": "node-1", "pod-2": "node-2" }, phase: "Running" },
  });
  assert.deepEqual(vmi, {
    namespace: "shop",
    name: "web",
    uid: "u1",
    labels: { app: "shop", "kubevirt.io/nodeName": "node-1" },
    annotations: { owner: "team-a" },
    nodeName: "node-1",
    pods: ["pod-1", "pod-2"],
  });
});

test("a VMI that is only just scheduled has no node and no pods", () => {
  const vmi = projectVmi({ metadata: { namespace: "shop", name: "web", uid: "u1" } });
  assert.deepEqual([vmi?.nodeName, vmi?.pods, vmi?.labels], [undefined, [], {}]);
});

test("whatever comes instead of a VMI is no VMI, and no error", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (object) => {
      const vmi = projectVmi(object);
      assert.ok(vmi === undefined || typeof vmi.name === "string");
    }),
  );
  assert.equal(projectVmi(undefined), undefined);
  assert.equal(projectVmi({ metadata: { name: "web", namespace: 3, uid: "u" } }), undefined);
});

test("a domain name is namespace and name of its VMI, apart by the first underscore", () => {
  assert.equal(domainNameOf({ namespace: "shop", name: "web.1" }), "shop_web.1");
  assert.deepEqual(splitDomainName("shop_web.1"), { namespace: "shop", name: "web.1" });
  for (const other of ["web", "_web", "shop_", "a_b_c", ""]) assert.equal(splitDomainName(other), undefined, other);
});
