import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { projectVmi as project, vmiObject, type Vmi } from "../../../src/discovery/vmi.ts";
import { domainNameOf, splitDomainName } from "../../../src/discovery/domain-name.ts";

const IDENTITY = { namespace: "shop", name: "web", uid: "u1" };
/** Size in memory of 2,000 VMIs like one of these, at most 32 MiB. */
const MAX_BYTES = (32 << 20) / 2_000;

function projectVmi(object: unknown): Vmi | undefined {
  return project(object, "node-1");
}

/** Returns how much memory a VMI takes: a byte or two for a character, and 128 for an entry of labels or annotations. */
function memoryOf(vmi: Vmi | undefined): number {
  const entries = [vmi?.labels, vmi?.annotations].flatMap((values) => Object.entries(values ?? {}));
  const text = entries.reduce(
    (sum, [key, value]) => sum + 128 + key.length + value.length * (/[€]/.test(value) ? 2 : 1),
    0,
  );
  return text + (vmi?.pods ?? []).reduce((sum, pod) => sum + 24 + pod.length, 0);
}

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
    status: { nodeName: "node-1", activePods: { "pod-1": "node-1", "pod-2": "node-1" }, phase: "Running" },
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

test("a VMI has the claims of its volumes and the time when it began to run", () => {
  const volumes = [
    { name: "rootdisk", dataVolume: { name: "web-root" } },
    { name: "data", persistentVolumeClaim: { claimName: "web-data" } },
    { name: "cloudinit", cloudInitNoCloud: {} },
    { name: "__proto__", dataVolume: { name: "own" } },
    { name: 7, dataVolume: { name: "x" } },
    { name: "odd", dataVolume: { name: 7 } },
    null,
  ];
  const phaseTransitionTimestamps = [
    { phase: "Pending", phaseTransitionTimestamp: "2026-01-02T03:04:05Z" },
    { phase: "Running", phaseTransitionTimestamp: "2026-01-02T03:04:06Z" },
  ];
  const vmi = projectVmi({ metadata: IDENTITY, spec: { volumes }, status: { phaseTransitionTimestamps } });
  assert.deepEqual(Object.entries(vmi?.claims ?? {}), [
    ["rootdisk", "web-root"],
    ["data", "web-data"],
    ["__proto__", "own"],
  ]);
  assert.ok(vmi !== undefined);
  assert.equal(vmi.startedS, Date.UTC(2026, 0, 2, 3, 4, 6) / 1000);
  assert.deepEqual(projectVmi(vmiObject(vmi)), vmi, "it is the same after a restart");
});

test("times and volumes that are not valid are left out", () => {
  for (const time of ["yesterday", "2026-13-45T00:00:00Z", "1900-01-01T00:00:00Z", 7, "2026-01-02", "x".repeat(50)]) {
    const phaseTransitionTimestamps = [{ phase: "Running", phaseTransitionTimestamp: time }];
    assert.ok(!("startedS" in (projectVmi({ metadata: IDENTITY, status: { phaseTransitionTimestamps } }) ?? {})));
  }
  for (const volumes of [undefined, {}, "all", [], [{ name: "a" }]])
    assert.ok(!("claims" in (projectVmi({ metadata: IDENTITY, spec: { volumes } }) ?? {})));
});

test("claims use only the memory that labels and annotations leave", () => {
  const labels = Object.fromEntries(
    Array.from({ length: 60 }, (_, index) => [`example.com/label-${index}`, "x".repeat(63)]),
  );
  const volumes = Array.from({ length: 600 }, (_, index) => ({
    name: `v${index}`,
    dataVolume: { name: "x".repeat(253) },
  }));
  const vmi = projectVmi({ metadata: { ...IDENTITY, labels }, spec: { volumes } });
  assert.equal(Object.keys(vmi?.labels ?? {}).length, 60);
  const bytes = Object.entries({ ...vmi?.labels, ...vmi?.claims }).reduce(
    (sum, entry) => sum + 128 + entry.join("").length,
    0,
  );
  assert.ok(bytes <= 15 << 10, String(bytes));
});

test("a new VMI has no node and no pods", () => {
  const vmi = projectVmi({ metadata: { namespace: "shop", name: "web", uid: "u1" } });
  assert.deepEqual([vmi?.nodeName, vmi?.pods, vmi?.labels], [undefined, [], {}]);
});

test("a pod counts on its node and while it has none, but KubeVirt's first entry without a UID is ignored", () => {
  const activePods = { "": "", "pod-1": "", "pod-2": "node-2", "pod-3": "node-1", "pod-4": 7, "pod-5": null };
  assert.deepEqual(projectVmi({ metadata: IDENTITY, status: { activePods } })?.pods, ["pod-1", "pod-3"]);
});

test("whatever labels, annotations and pods a VMI has, 2,000 of them need at most 32 MiB", () => {
  const many = (entries: number, key: number, value: number, character = "x"): Readonly<Record<string, string>> =>
    Object.fromEntries(
      Array.from({ length: entries }, (_, index) => [`${index}`.padEnd(key, "k"), character.repeat(value)]),
    );
  for (const labels of [many(20_000, 1, 0), many(5_000, 317, 63), many(20_000, 40, 64), {}])
    for (const annotations of [many(20_000, 1, 0), many(2_000, 317, 256, "€"), many(500, 1_000, 1), {}]) {
      const activePods = many(5_000, 64, 0);
      const found = projectVmi({ metadata: { ...IDENTITY, labels, annotations }, status: { activePods } });
      assert.ok(memoryOf(found) < MAX_BYTES, `${memoryOf(found)} bytes`);
    }
});

test("60 labels and 15 annotations of usual length are kept", () => {
  const entries = (count: number, prefix: string, value: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`${prefix}${index}`, "v".repeat(value)]));
  const metadata = {
    ...IDENTITY,
    labels: entries(60, "app.kubernetes.io/name", 20),
    annotations: entries(15, "example.org/note", 40),
  };
  const found = projectVmi({ metadata });
  assert.deepEqual([found?.labels, found?.annotations], [metadata.labels, metadata.annotations]);
});

test("names, UIDs and keys that are longer than Kubernetes allows are no VMI or no label", () => {
  for (const change of [{ namespace: "x".repeat(64) }, { name: "x".repeat(254) }, { uid: "x".repeat(65) }])
    assert.equal(projectVmi({ metadata: { ...IDENTITY, ...change } }), undefined);
  const labels = { ["k".repeat(318)]: "v", long: "v".repeat(64), app: "shop" };
  const found = projectVmi({ metadata: { ...IDENTITY, labels }, status: { nodeName: "n".repeat(254) } });
  assert.deepEqual([found?.labels, found?.nodeName], [{ app: "shop" }, undefined]);
});

test("the object of a VMI gives the same VMI again", () => {
  const vmi = projectVmi({
    metadata: { ...IDENTITY, labels: { app: "shop", ["__proto__"]: "x" }, annotations: { owner: "team-ä" } },
    spec: { domain: { firmware: { uuid: "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01" } } },
    status: { nodeName: "node-2", activePods: { "pod-1": "node-1", "pod-2": "" } },
  });
  for (const value of [vmi, projectVmi({ metadata: IDENTITY })])
    assert.deepEqual(projectVmi(JSON.parse(JSON.stringify(value && vmiObject(value)))), value);
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

test("a VMI has its live migration, and the object made of it has the same", () => {
  const state = {
    migrationUid: "m1",
    sourceNode: "node-1",
    targetNode: "node-2",
    startTimestamp: "2026-01-02T03:04:05Z",
    completed: false,
  };
  const read = (migrationState: unknown): Vmi | undefined =>
    projectVmi({ metadata: IDENTITY, status: { migrationState } });
  const startedMs = Date.UTC(2026, 0, 2, 3, 4, 5);
  const running = { uid: "m1", sourceNode: "node-1", targetNode: "node-2", startedMs, failed: false };
  assert.deepEqual(read(state)?.migration, running);
  const ended = read({ ...state, endTimestamp: "2026-01-02T03:05:05Z", failed: true });
  assert.deepEqual(ended?.migration, { ...running, endedMs: startedMs + 60_000, failed: true });
  assert.deepEqual(projectVmi(vmiObject(ended)), ended);
  for (const broken of [null, {}, { ...state, sourceNode: 7 }, { ...state, startTimestamp: "now" }, "x"])
    assert.ok(!("migration" in (read(broken) ?? {})));
});
