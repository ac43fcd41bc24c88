import assert from "node:assert/strict";
import { test } from "node:test";
import { projectVmi, type Vmi } from "../../../src/discovery/vmi.ts";
import type { VmiFacts } from "../../../src/discovery/vmi-facts.ts";

function factsOf(object: object): VmiFacts | undefined {
  const { metadata = {}, ...rest } = object as { readonly metadata?: object };
  return project({ metadata: { namespace: "shop", name: "web", uid: "u1", ...metadata }, ...rest })?.facts;
}

function project(object: object): Vmi | undefined {
  return projectVmi(object, "node-1", true);
}

test("a VMI has the facts that KubeVirt writes", () => {
  assert.deepEqual(
    factsOf({
      metadata: {
        labels: { "kubevirt.io/outdatedLauncherImage": "" },
        annotations: {
          "kubevirt.io/cluster-instancetype-name": "u1.medium",
          "kubevirt.io/preference-name": "fedora",
        },
      },
      spec: {
        domain: { resources: { requests: { cpu: "1500m", memory: "2Gi" }, limits: { cpu: "2", memory: "3000001" } } },
      },
      status: {
        phase: "Running",
        guestOSInfo: { name: "Fedora Linux", prettyName: "Fedora Linux 42" },
        conditions: [
          { type: "LiveMigratable", status: "False", reason: "DisksNotLiveMigratable" },
          { type: "AgentConnected", status: "True" },
        ],
        interfaces: [
          { name: "default", ipAddress: "10.0.2.2", ipAddresses: ["10.0.2.2", "fe80::1"] },
          { name: "storage", ipAddress: "fd00::7" },
          { name: "none" },
        ],
      },
    }),
    {
      instanceType: "u1.medium",
      preference: "fedora",
      guestOs: "Fedora Linux 42",
      phase: "Running",
      cpuRequestMilli: 1_500,
      cpuLimitMilli: 2_000,
      memoryRequestKib: 2 ** 21,
      memoryLimitKib: 2_930,
      isMigratable: false,
      isLauncherOutdated: true,
      isAgentConnected: true,
      addresses: { default: "10.0.2.2", storage: "fd00::7" },
    },
  );
});

const NOTHING: VmiFacts = {
  ...{ instanceType: undefined, preference: undefined, guestOs: undefined, phase: undefined },
  ...{ cpuRequestMilli: undefined, cpuLimitMilli: undefined, memoryRequestKib: undefined, memoryLimitKib: undefined },
  ...{ isMigratable: undefined, isLauncherOutdated: false, isAgentConnected: false, addresses: {} },
};

test("what a VMI does not say, or says in another form, is unknown", () => {
  assert.deepEqual(factsOf({}), NOTHING);
  assert.deepEqual(
    factsOf({
      metadata: { annotations: 7, labels: [] },
      spec: { domain: { resources: { requests: { cpu: "many", memory: "-1" }, limits: { cpu: "9e99" } } } },
      status: {
        phase: 7,
        guestOSInfo: "x",
        conditions: { LiveMigratable: true },
        interfaces: [null, { ipAddress: 1 }],
      },
    }),
    NOTHING,
  );
});

test("a name that objects inherit is the name of a network like others", () => {
  const interfaces = [
    { name: "constructor", ipAddress: "10.0.0.1" },
    { name: "__proto__", ipAddress: "10.0.0.2" },
  ];
  assert.deepEqual(Object.entries(factsOf({ status: { interfaces } })?.addresses ?? {}), [
    ["constructor", "10.0.0.1"],
    ["__proto__", "10.0.0.2"],
  ]);
});

test("the facts use only the memory that labels, annotations and claims leave", () => {
  const labels = Object.fromEntries(
    Array.from({ length: 500 }, (_, index) => [`example.com/label-${index}`, "x".repeat(63)]),
  );
  const interfaces = Array.from({ length: 500 }, (_, index) => ({ name: `net-${index}`, ipAddress: "fd00::1" }));
  const status = { phase: "Running", interfaces };
  const full = factsOf({ metadata: { labels }, status });
  assert.ok(Object.keys(full?.addresses ?? {}).length < 5);
  assert.equal(
    Object.keys(factsOf({ status: { phase: "Running", interfaces: interfaces.slice(0, 40) } })?.addresses ?? {}).length,
    40,
  );
});

test("a VMI has no facts if they are not asked for", () => {
  assert.ok(!("facts" in (projectVmi({ metadata: { namespace: "shop", name: "web", uid: "u1" } }, "node-1") ?? {})));
});
