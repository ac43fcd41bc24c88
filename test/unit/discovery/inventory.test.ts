import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { VmiInventory, type NamingRules } from "../../../src/discovery/inventory.ts";
import type { Vmi } from "../../../src/discovery/vmi.ts";
import { INHERITED_NAMES } from "../../support/inherited-names.ts";

const RUNNING = 1;
const PAUSED = 3;
const BY_USER = 1;
const BY_MIGRATION = 2;
const POST_COPY = 12;
const DOMAIN = { name: "shop_web", uuid: "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01", id: 1 };

const ALL: NamingRules = { nodeName: "node-1", labelTags: [], annotationTags: [], accepts: () => true };

function vmi(change: Partial<Vmi> = {}): Vmi {
  return {
    namespace: "shop",
    name: "web",
    uid: "u1",
    labels: {},
    annotations: {},
    nodeName: "node-1",
    pods: ["pod-1"],
    ...change,
  };
}

let here: Map<string, Vmi>;
let coming: Map<string, Vmi>;
let synced: boolean;
let inventory: VmiInventory;

beforeEach(() => {
  here = new Map([["shop/web", vmi()]]);
  coming = new Map();
  synced = true;
  inventory = new VmiInventory([here, coming], () => synced, ALL);
});

function put(store: Map<string, Vmi>, value: Vmi): void {
  store.set(`${value.namespace}/${value.name}`, value);
  inventory.changed();
}

test("a domain has the name, namespace and chosen labels of the VMI that owns its pod", () => {
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
  const named = inventory.name("pod-1", DOMAIN, RUNNING, undefined);
  assert.equal(named?.namespace, "shop");
  assert.equal(named.name, "web");
  assert.deepEqual(named.tags, [
    ["app", "shop"],
    ["team", "team-a"],
  ]);
});

test("a domain whose VMI is not known yet has the names that its own name holds, and no labels", () => {
  const named = inventory.name("pod-9", { ...DOMAIN, name: "db_main" }, RUNNING, undefined);
  assert.deepEqual(named, { namespace: "db", name: "main", labels: {}, tags: [] });
  assert.deepEqual(inventory.name("pod-9", { ...DOMAIN, name: "plain" }, RUNNING, undefined)?.name, "plain");
});

test("a VMI made anew under its old name does not lend its labels to the old one's last domain", () => {
  here.clear();
  put(here, vmi({ uid: "u2", pods: ["pod-2"], labels: { generation: "2" } }));
  assert.deepEqual(inventory.name("pod-1", DOMAIN, RUNNING, undefined)?.labels, {});
  assert.deepEqual(inventory.name("pod-2", DOMAIN, RUNNING, undefined)?.labels, { generation: "2" });
});

test("a launcher cannot give numbers to another VM than that of its pod", () => {
  for (const name of ["shop_other", "bank_web", "web", ""])
    assert.throws(() => inventory.name("pod-1", { ...DOMAIN, name }, RUNNING, undefined), {
      code: "E_DOMAIN_FOREIGN",
      message: "the launcher of shop/web has a domain of another name, which is left out",
    });
});

test("two VMs of one name and UUID in two namespaces are two", () => {
  put(here, vmi({ namespace: "test", uid: "u2", pods: ["pod-2"] }));
  assert.equal(inventory.name("pod-1", DOMAIN, RUNNING, undefined)?.namespace, "shop");
  assert.equal(inventory.name("pod-2", { ...DOMAIN, name: "test_web" }, RUNNING, undefined)?.namespace, "test");
});

test("a name stays the same object until its VMI changes, so its tags are escaped once", () => {
  const first = inventory.name("pod-1", DOMAIN, RUNNING, undefined);
  assert.equal(inventory.name("pod-1", DOMAIN, RUNNING, undefined), first);
  put(here, vmi({ labels: { app: "shop" } }));
  assert.notEqual(inventory.name("pod-1", DOMAIN, RUNNING, undefined), first);
});

test("what the configuration does not want is not named", () => {
  const seen: unknown[] = [];
  inventory.rules = {
    ...ALL,
    accepts: (who) => {
      seen.push(who);
      return who.namespace !== "shop";
    },
  };
  assert.equal(inventory.name("pod-1", DOMAIN, RUNNING, undefined), undefined);
  inventory.name("pod-9", { ...DOMAIN, name: "db_main" }, RUNNING, undefined);
  assert.deepEqual(seen, [
    { namespace: "shop", name: "web", labels: {} },
    { namespace: "db", name: "main", labels: undefined },
  ]);
});

test("names of pods that are gone are forgotten", () => {
  const first = inventory.name("pod-1", DOMAIN, RUNNING, undefined);
  inventory.retain(new Set(["pod-1"]));
  assert.equal(inventory.name("pod-1", DOMAIN, RUNNING, undefined), first);
  inventory.retain(new Set());
  assert.notEqual(inventory.name("pod-1", DOMAIN, RUNNING, undefined), first);
});

/** The two nodes of a live migration, each with what its two watches show and its libvirt says. */
test("through a live migration exactly one of the two nodes has the VMI, except while neither runs it", () => {
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
    { what: "said so", nodeName: "node-2", target: [RUNNING, 5], emits: "target" },
    { what: "paused by its user afterwards", nodeName: "node-2", target: [PAUSED, BY_USER], emits: "target" },
  ];
  for (const { what, nodeName, source, target, emits } of steps) {
    const seen = vmi({ nodeName, pods: ["pod-1", "pod-2"] });
    put(here, seen);
    const onTarget = new VmiInventory([new Map(), new Map([["shop/web", seen]])], () => true, {
      ...ALL,
      nodeName: "node-2",
    });
    const emitting = [
      source !== undefined && inventory.name("pod-1", DOMAIN, ...source) !== undefined ? "source" : "",
      target !== undefined && onTarget.name("pod-2", DOMAIN, ...target) !== undefined ? "target" : "",
    ].join("");
    assert.equal(emitting, emits, what);
  }
});

test("a paused VM is written where the API server says it is, and without word of it where it cannot be known better", () => {
  assert.ok(inventory.name("pod-1", DOMAIN, PAUSED, BY_USER));
  put(here, vmi({ nodeName: "node-2" }));
  assert.equal(inventory.name("pod-1", DOMAIN, PAUSED, BY_USER), undefined);
  assert.equal(inventory.name("pod-9", DOMAIN, PAUSED, BY_USER), undefined);
  synced = false;
  assert.ok(inventory.name("pod-9", DOMAIN, PAUSED, BY_USER));
});

test("a label key such as constructor is no tag unless the VMI has it", () => {
  const labelTags = INHERITED_NAMES.map((key) => ({ key, tag: key }));
  inventory.rules = { ...ALL, labelTags, annotationTags: labelTags };
  assert.deepEqual(inventory.name("pod-1", DOMAIN, RUNNING, undefined)?.tags, []);
  const given = Object.fromEntries(INHERITED_NAMES.map((key) => [key, "own"]));
  put(here, vmi({ labels: given }));
  assert.deepEqual(
    inventory.name("pod-1", DOMAIN, RUNNING, undefined)?.tags,
    INHERITED_NAMES.map((key) => [key, "own"]),
  );
});
