import assert from "node:assert/strict";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { VmiInventory } from "../../../src/discovery/inventory.ts";
import type { Vmi } from "../../../src/discovery/vmi.ts";
import {
  ALL_VMS,
  failedEndpoints,
  localEndpoints,
  namingRules,
  trustedEndpoints,
  vmiEndpoints,
} from "../../../src/node/endpoints.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { vmi } from "../../support/vmis.ts";

const RUNNING = 1;
const PAUSED = 3;
const BY_USER = 1;
const BY_MIGRATION = 2;
const DOMAIN = { name: "shop_web", uuid: "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01", id: 1 };
const LAUNCHERS = ["pod-1", "pod-9"].map((podUid) => ({ podUid, socket: `/pods/${podUid}` }));

test("in a cluster the socket of a pod is an endpoint while a VMI lists the pod", () => {
  const vmis = new Map<string, Vmi>();
  const inventory = new VmiInventory([vmis], namingRules(ALL_VMS, "node-1"));
  const found = () =>
    vmiEndpoints({ launchers: LAUNCHERS, unusable: [] }, inventory).map(({ socket, transient, vm }) => [
      socket,
      transient,
      vm,
    ]);
  assert.deepEqual(found(), []);
  vmis.set("shop/web", vmi());
  inventory.invalidate();
  assert.deepEqual(found(), [["/pods/pod-1", true, "shop/web"]]);
  vmis.clear();
  inventory.invalidate();
  assert.deepEqual(found(), []);
});

test("in a cluster a launcher that cannot be used is a failed endpoint, if its VMI runs here", () => {
  const vmis = [
    ["here", vmi({ name: "here", uid: "1", pods: ["denied"] })],
    ["marked", vmi({ name: "marked", uid: "2", pods: ["marked"] })],
    ["leaving", vmi({ name: "leaving", uid: "3", pods: ["leaving"], nodeName: "node-2" })],
    ["back", vmi({ name: "back", uid: "4", pods: ["former"] })],
  ] as const;
  const store = new Map<string, Vmi>(vmis);
  const inventory = new VmiInventory([store], namingRules(ALL_VMS, "node-1"));
  const unusable = (["denied", "leaving", "former", "stranger"] as const).map((podUid) => ({
    podUid,
    reason: "denied" as const,
    where: `/pods/${podUid}`,
  }));
  const marked = { podUid: "marked", reason: "unresponsive" as const, where: "/pods/marked/mark" };
  const launchers = [{ podUid: "latest", socket: "/pods/latest" }];
  const find = () => vmiEndpoints({ launchers, unusable: [...unusable, marked] }, inventory);
  find();
  store.set("back", vmi({ name: "back", uid: "4", pods: ["former", "latest"] }));
  inventory.invalidate();
  assert.deepEqual(
    find().map(({ socket, fault }) => [socket, fault?.code, fault?.message]),
    [
      ["/pods/latest", undefined, undefined],
      [
        "/pods/denied",
        "E_LIBVIRT_DENIED",
        "the directory of the launcher of shop/here cannot be read: check the agent's user, capabilities and SELinux",
      ],
      [
        "/pods/marked/mark",
        "E_LAUNCHER_UNRESPONSIVE",
        "virt-handler has marked the launcher of shop/marked as unresponsive: its VM is not collected",
      ],
    ],
  );
});

test("in a cluster a domain has the name of the VMI that lists its pod", () => {
  const inventory = new VmiInventory([new Map([["shop/web", vmi()]])], namingRules(ALL_VMS, "node-1"));
  const [endpoint] = vmiEndpoints({ launchers: LAUNCHERS, unusable: [] }, inventory);
  assert.equal(endpoint?.identify?.(DOMAIN, RUNNING, undefined)?.name, "web");
  assert.throws(() => endpoint.identify?.({ ...DOMAIN, name: "bank_db" }, RUNNING, undefined), {
    code: "E_DOMAIN_FOREIGN",
  });
});

test("without a cluster every launcher is an endpoint, and its domains have the names that they claim", () => {
  const [endpoint, other] = trustedEndpoints(LAUNCHERS, () => ALL_VMS.vms);
  assert.equal(other?.socket, "/pods/pod-9");
  const named = endpoint?.identify?.(DOMAIN, RUNNING, undefined);
  assert.deepEqual(named, { namespace: "shop", name: "web", labels: {}, tags: [] });
  const plain = endpoint?.identify?.({ ...DOMAIN, name: "plain" }, RUNNING, undefined);
  assert.deepEqual([plain?.namespace, plain?.name], ["", "plain"]);
});

test("without a cluster a paused VM is collected unless a live migration paused it", () => {
  const [endpoint] = trustedEndpoints(LAUNCHERS, () => ALL_VMS.vms);
  const isCollected = (reason?: number): boolean => endpoint?.identify?.(DOMAIN, PAUSED, reason) !== undefined;
  assert.deepEqual([BY_USER, undefined, BY_MIGRATION].map(isCollected), [true, true, false]);
});

test("without a cluster the active configuration's namespaces select VMs, and labels select none", () => {
  let vms: typeof ALL_VMS.vms = ALL_VMS.vms;
  const [endpoint] = trustedEndpoints(LAUNCHERS, () => vms);
  const isCollected = (): boolean => endpoint?.identify?.(DOMAIN, RUNNING, undefined) !== undefined;
  assert.ok(isCollected());
  vms = { namespaces: { exclude: ["shop"] }, vmSelector: {} };
  assert.ok(!isCollected());
  vms = { namespaces: {}, vmSelector: { matchLabels: { team: "web" } } };
  assert.ok(!isCollected());
});

test("named sockets and new launchers are found together", async (t) => {
  const podsDir = await temporaryDirectory(t);
  const clock = new FakeClock();
  const find = localEndpoints({ podsDir, libvirtSockets: ["/plain"] }, clock);
  const found = async () => (await find(ALL_VMS)).map(({ socket, transient }) => [socket, transient]);
  assert.deepEqual(await found(), [["/plain", undefined]]);
  const runtime = path.join(podsDir, "uid-1", "volumes/kubernetes.io~empty-dir/libvirt-runtime");
  await mkdir(runtime, { recursive: true });
  await writeFile(path.join(runtime, "virtqemud-sock"), "");
  assert.deepEqual(await found(), [
    ["/plain", undefined],
    [path.join(runtime, "virtqemud-sock"), true],
  ]);
});

test("without a cluster pods that the agent may not read are one failed endpoint", () => {
  const unusable = [
    { podUid: "a", reason: "denied", where: "/pods/a" },
    { podUid: "b", reason: "denied", where: "/pods/b" },
    { podUid: "c", reason: "unresponsive", where: "/pods/c/mark" },
  ] as const;
  const found = failedEndpoints(unusable, "/pods").map(({ socket, fault }) => [socket, fault?.code]);
  assert.deepEqual(found, [
    ["/pods/c/mark", "E_LAUNCHER_UNRESPONSIVE"],
    ["/pods", "E_LIBVIRT_DENIED"],
  ]);
  assert.deepEqual(failedEndpoints([], "/pods"), []);
});

test("without a cluster a launcher that virt-handler has marked is a failed endpoint until the mark is removed", async (t) => {
  const podsDir = await temporaryDirectory(t);
  const clock = new FakeClock();
  const find = localEndpoints({ podsDir, libvirtSockets: undefined }, clock);
  const volumes = path.join(podsDir, "uid-1", "volumes/kubernetes.io~empty-dir");
  const mark = path.join(volumes, "sockets/launcher-unresponsive");
  for (const file of [path.join(volumes, "libvirt-runtime/virtqemud-sock"), mark]) {
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, "");
  }
  const found = async () => (await find(ALL_VMS)).map(({ socket, fault }) => [socket, fault?.code]);
  assert.deepEqual(await found(), [[mark, "E_LAUNCHER_UNRESPONSIVE"]]);
  await rm(mark);
  await clock.advance(30_000);
  assert.deepEqual(await found(), [[path.join(volumes, "libvirt-runtime/virtqemud-sock"), undefined]]);
});

test("a pods directory that cannot be read is an error", async () => {
  const find = localEndpoints({ podsDir: "/nonexistent", libvirtSockets: undefined }, new FakeClock());
  await assert.rejects(find(ALL_VMS), { code: "E_PODS_DIR" });
});
