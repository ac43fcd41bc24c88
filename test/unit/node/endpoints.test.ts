import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { VmiInventory } from "../../../src/discovery/inventory.ts";
import type { Vmi } from "../../../src/discovery/vmi.ts";
import { ALL_VMS, localEndpoints, namingRules, trustedEndpoints, vmiEndpoints } from "../../../src/node/endpoints.ts";
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
  const found = () => vmiEndpoints(LAUNCHERS, inventory).map(({ socket, transient, vm }) => [socket, transient, vm]);
  assert.deepEqual(found(), []);
  vmis.set("shop/web", vmi());
  inventory.invalidate();
  assert.deepEqual(found(), [["/pods/pod-1", true, "shop/web"]]);
  vmis.clear();
  inventory.invalidate();
  assert.deepEqual(found(), []);
});

test("in a cluster a domain has the name of the VMI that lists its pod", () => {
  const inventory = new VmiInventory([new Map([["shop/web", vmi()]])], namingRules(ALL_VMS, "node-1"));
  const [endpoint] = vmiEndpoints(LAUNCHERS, inventory);
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

test("a pods directory that cannot be read is an error", async () => {
  const find = localEndpoints({ podsDir: "/nonexistent", libvirtSockets: undefined }, new FakeClock());
  await assert.rejects(find(ALL_VMS), { code: "E_PODS_DIR" });
});
