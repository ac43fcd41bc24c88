import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { VmiInventory, type NamingRules } from "../../../src/discovery/inventory.ts";
import type { Vmi } from "../../../src/discovery/vmi.ts";
import { INHERITED_NAMES } from "../../support/inherited-names.ts";
import { vmi } from "../../support/vmis.ts";

const RUNNING = 1;
const PAUSED = 3;
const CRASHED = 6;
const BY_USER = 1;
const BY_MIGRATION = 2;
const POST_COPY = 12;
const DOMAIN = { name: "shop_web", uuid: "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01", id: 1 };

const ALL: NamingRules = { nodeName: "node-1", labelTags: [], annotationTags: [], accepts: () => true };

let here: Map<string, Vmi>;
let coming: Map<string, Vmi>;
let inventory: VmiInventory;

beforeEach(() => {
  here = new Map([["shop/web", vmi()]]);
  coming = new Map();
  inventory = new VmiInventory([here, coming], ALL);
});

function put(store: Map<string, Vmi>, value: Vmi): void {
  store.set(`${value.namespace}/${value.name}`, value);
  inventory.invalidate();
}

test("a domain has the name, namespace and selected labels of its pod's VMI", () => {
  put(here, vmi({ labels: { app: "shop", tier: "front", empty: "" }, annotations: { owner: "team-a" } }));
  inventory.rules = {
    ...ALL,
    labelTags: [
      { key: "app", tag: "app" },
      { key: "absent", tag: "absent" },
      { key: "empty", tag: "empty" },
    ],
    annotationTags: [{ key: "owner", tag: "team" }],
  };
  const named = inventory.identify("pod-1", DOMAIN, RUNNING, undefined);
  assert.equal(named?.namespace, "shop");
  assert.equal(named.name, "web");
  assert.deepEqual(named.tags, [
    ["app", "shop"],
    ["team", "team-a"],
  ]);
});

test("a domain in a pod that no VMI lists is not identified, in every state", () => {
  for (const name of ["shop_web", "db_main", "plain"])
    for (const state of [RUNNING, PAUSED]) {
      assert.equal(inventory.identify("pod-9", { ...DOMAIN, name }, state, undefined), undefined);
      assert.equal(inventory.identify("", { ...DOMAIN, name }, state, undefined), undefined);
    }
});

test("a domain is identified while a VMI lists its pod, on both sides of a migration", () => {
  for (const [store, nodeName] of [
    [here, "node-1"],
    [coming, "node-2"],
  ] as const) {
    put(store, vmi({ name: "db", pods: ["pod-7", "pod-8"], nodeName }));
    for (const pod of ["pod-7", "pod-8"])
      assert.equal(inventory.identify(pod, { ...DOMAIN, name: "shop_db" }, RUNNING, undefined)?.name, "db");
    store.delete("shop/db");
    inventory.invalidate();
    assert.equal(inventory.identify("pod-7", { ...DOMAIN, name: "shop_db" }, RUNNING, undefined), undefined);
  }
});

test("the UUID of a domain is that of its VMI, or undefined if the VMI has none", () => {
  assert.equal(inventory.identify("pod-1", DOMAIN, RUNNING, undefined)?.uuid, undefined);
  put(here, vmi({ firmwareUuid: DOMAIN.uuid }));
  assert.equal(inventory.identify("pod-1", DOMAIN, RUNNING, undefined)?.uuid, DOMAIN.uuid);
});

test("a domain with another UUID than its VMI is foreign", () => {
  put(here, vmi({ firmwareUuid: "0d3f1f6c-0f0e-5b0c-8f8e-2f4f5f0b7a11" }));
  for (const uuid of [DOMAIN.uuid, "", "0D3F1F6C-0F0E-5B0C-8F8E-2F4F5F0B7A11", "00000000-0000-0000-0000-000000000000"])
    assert.throws(() => inventory.identify("pod-1", { ...DOMAIN, uuid }, RUNNING, undefined), {
      code: "E_DOMAIN_FOREIGN",
      message: "the launcher of shop/web has a domain with another UUID, which is not collected",
    });
});

test("a name that differs only in case, in Unicode form or in what is not visible is another name", () => {
  here.clear();
  put(here, vmi({ name: "cafe" }));
  assert.ok(inventory.identify("pod-1", { ...DOMAIN, name: "shop_cafe" }, RUNNING, undefined));
  const same = [
    "shop_CAFE",
    "Shop_cafe",
    "shop_caf\u0435",
    "shop_cafe\u0301",
    "shop_cafe\u200b",
    "shop_cafe ",
    "\ufeffshop_cafe",
  ];
  for (const name of [...same, "shop_cafe\0", "shop\uff3fcafe", "shop_cafe\n", "shop_cafe_"])
    assert.throws(() => inventory.identify("pod-1", { ...DOMAIN, name }, RUNNING, undefined), {
      code: "E_DOMAIN_FOREIGN",
    });
});

test("a pod that two VMIs list belongs to neither until one lists it", () => {
  const other = vmi({ name: "db", uid: "u2", pods: ["pod-1", "pod-2"] });
  for (const store of [here, coming]) {
    put(store, other);
    assert.equal(inventory.vmiOf("pod-1"), undefined);
    assert.equal(inventory.identify("pod-1", DOMAIN, RUNNING, undefined), undefined);
    assert.equal(inventory.vmiOf("pod-2"), other);
    assert.deepEqual([...inventory.contested.keys()], ["pod-1"]);
    store.delete("shop/db");
    inventory.invalidate();
    assert.equal(inventory.vmiOf("pod-1")?.name, "web");
    assert.equal(inventory.contested.size, 0);
  }
  put(coming, vmi({ labels: { seen: "twice" } }));
  assert.equal(inventory.contested.size, 0, "one VMI can be in both lists");
});

function current(...podUids: readonly string[]): readonly string[] {
  return inventory.currentLaunchers(podUids.map((podUid) => ({ podUid }))).map(({ podUid }) => podUid);
}

test("of the launchers of a VMI on this node only the newest with a socket is current", () => {
  assert.deepEqual(current("pod-1", "pod-9"), ["pod-1"]);
  put(here, vmi({ pods: ["pod-0", "pod-1"] }));
  assert.deepEqual(current("pod-1"), ["pod-1"], "the new launcher has no socket yet");
  assert.deepEqual(current("pod-0", "pod-1"), ["pod-0"]);
  assert.deepEqual(current("pod-1"), ["pod-1"], "the new launcher has ended");
});

test("a former launcher stays former when its VMI returns to the node", () => {
  assert.deepEqual(current("pod-1"), ["pod-1"]);
  // The VMI is on another node: it is not listed here.
  here.clear();
  inventory.invalidate();
  assert.deepEqual(current("pod-1"), []);
  put(coming, vmi({ nodeName: "node-2", pods: ["pod-1", "pod-3"] }));
  assert.deepEqual(current("pod-1", "pod-3"), ["pod-3"]);
});

test("launchers of a VMI that are first seen together are all current", () => {
  put(here, vmi({ name: "db", uid: "u2", pods: ["pod-5", "pod-6"] }));
  assert.deepEqual(current("pod-1", "pod-5", "pod-6"), ["pod-1", "pod-5", "pod-6"]);
});

test("a VMI that is created again does not give its labels to the old domain", () => {
  here.clear();
  put(here, vmi({ uid: "u2", pods: ["pod-2"], labels: { generation: "2" } }));
  assert.equal(inventory.identify("pod-1", DOMAIN, RUNNING, undefined), undefined);
  assert.deepEqual(inventory.identify("pod-2", DOMAIN, RUNNING, undefined)?.labels, { generation: "2" });
});

test("a launcher cannot report a VM other than that of its pod", () => {
  for (const name of ["shop_other", "bank_web", "web", ""])
    assert.throws(() => inventory.identify("pod-1", { ...DOMAIN, name }, RUNNING, undefined), {
      code: "E_DOMAIN_FOREIGN",
      message: "the launcher of shop/web has a domain with another name, which is not collected",
    });
});

test("two VMs with the same name and UUID in two namespaces are different", () => {
  put(here, vmi({ namespace: "test", uid: "u2", pods: ["pod-2"] }));
  assert.equal(inventory.identify("pod-1", DOMAIN, RUNNING, undefined)?.namespace, "shop");
  assert.equal(inventory.identify("pod-2", { ...DOMAIN, name: "test_web" }, RUNNING, undefined)?.namespace, "test");
});

test("a VM keeps its identity object until its VMI changes, so tags are escaped once", () => {
  const first = inventory.identify("pod-1", DOMAIN, RUNNING, undefined);
  assert.equal(inventory.identify("pod-1", DOMAIN, RUNNING, undefined), first);
  put(here, vmi({ labels: { app: "shop" } }));
  assert.notEqual(inventory.identify("pod-1", DOMAIN, RUNNING, undefined), first);
});

test("a VMI that the configuration excludes is not identified", () => {
  const seen: unknown[] = [];
  inventory.rules = {
    ...ALL,
    accepts: ({ namespace, labels }) => {
      seen.push([namespace, labels]);
      return namespace !== "shop";
    },
  };
  assert.equal(inventory.identify("pod-1", DOMAIN, RUNNING, undefined), undefined);
  assert.deepEqual(seen, [["shop", {}]]);
});

test("during a live migration one node collects the VMI, or none while neither runs it", () => {
  // `source` and `target` are the states of the domains on node-1 and node-2; undefined before or after the domain exists.
  const steps: readonly {
    readonly what: string;
    readonly nodeName: string;
    readonly source?: readonly [state: number, reason: number];
    readonly target?: readonly [state: number, reason: number];
    readonly emits: string;
  }[] = [
    { what: "before", nodeName: "node-1", source: [RUNNING, 1], emits: "source" },
    { what: "pre-copy", nodeName: "node-1", source: [RUNNING, 1], target: [PAUSED, BY_MIGRATION], emits: "source" },
    {
      what: "hand-over",
      nodeName: "node-1",
      source: [PAUSED, BY_MIGRATION],
      target: [PAUSED, BY_MIGRATION],
      emits: "",
    },
    { what: "post-copy", nodeName: "node-1", source: [PAUSED, POST_COPY], target: [RUNNING, 13], emits: "target" },
    { what: "target runs", nodeName: "node-1", target: [RUNNING, 5], emits: "target" },
    { what: "the VMI has its new node", nodeName: "node-2", target: [RUNNING, 5], emits: "target" },
    { what: "paused by its user later", nodeName: "node-2", target: [PAUSED, BY_USER], emits: "target" },
  ];
  for (const { what, nodeName, source, target, emits } of steps) {
    const seen = vmi({ nodeName, pods: ["pod-1", "pod-2"] });
    put(here, seen);
    const onTarget = new VmiInventory([new Map(), new Map([["shop/web", seen]])], {
      ...ALL,
      nodeName: "node-2",
    });
    const emitting = [
      source !== undefined && inventory.identify("pod-1", DOMAIN, ...source) !== undefined ? "source" : "",
      target !== undefined && onTarget.identify("pod-2", DOMAIN, ...target) !== undefined ? "target" : "",
    ].join("");
    assert.equal(emitting, emits, what);
  }
});

test("a paused VM is collected on the VMI's node, not on the other side of a migration", () => {
  for (const state of [PAUSED, CRASHED]) {
    put(here, vmi());
    assert.ok(inventory.identify("pod-1", DOMAIN, state, BY_USER));
    assert.ok(inventory.identify("pod-1", DOMAIN, state, undefined));
    put(here, vmi({ nodeName: "node-2" }));
    assert.equal(inventory.identify("pod-1", DOMAIN, state, BY_USER), undefined);
    put(here, vmi({ nodeName: undefined }));
    assert.equal(inventory.identify("pod-1", DOMAIN, state, undefined), undefined);
  }
});

test("an older copy of a VMI in the second watch does not hide that its migration to this node has ended", () => {
  put(here, vmi({ pods: ["pod-1", "pod-0"] }));
  put(coming, vmi({ nodeName: "node-0", pods: ["pod-1", "pod-0"] }));
  assert.equal(inventory.identify("pod-1", DOMAIN, PAUSED, BY_USER)?.name, "web");
  put(coming, vmi({ nodeName: "node-0", pods: ["pod-1", "pod-2"] }));
  assert.equal(inventory.vmiOf("pod-2")?.uid, "u1", "a pod that only one copy lists has its VMI");
});

test("a label key such as constructor is a tag only if the VMI has it", () => {
  const labelTags = INHERITED_NAMES.map((key) => ({ key, tag: key }));
  inventory.rules = { ...ALL, labelTags, annotationTags: labelTags };
  assert.deepEqual(inventory.identify("pod-1", DOMAIN, RUNNING, undefined)?.tags, []);
  const given = Object.fromEntries(INHERITED_NAMES.map((key) => [key, "own"]));
  put(here, vmi({ labels: given }));
  assert.deepEqual(
    inventory.identify("pod-1", DOMAIN, RUNNING, undefined)?.tags,
    INHERITED_NAMES.map((key) => [key, "own"]),
  );
});
