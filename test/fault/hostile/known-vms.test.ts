import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { pino } from "pino";
import { VMIS } from "../../../src/cluster/kinds.ts";
import { VmiWatch } from "../../../src/cluster/vmi-watch.ts";
import { vmiObject, type Vmi } from "../../../src/discovery/vmi.ts";
import { ALL_VMS, namingRules, vmiEndpoints } from "../../../src/node/endpoints.ts";
import { KubeBench } from "../../support/kube-bench.ts";
import { skipWithoutOpenssl } from "../../support/openssl.ts";
import { vmi } from "../../support/vmis.ts";

const skip = skipWithoutOpenssl("VMs known before a restart");
const [HERE, COMING] = ["VMIs with kubevirt.io/nodeName", "VMIs with kubevirt.io/migrationTargetNodeName"] as const;
const PODS = ["pod-1", "pod-2", "pod-3", "pod-9"];

function watchOf({ api: client, clock }: KubeBench): VmiWatch {
  const log = pino({ level: "silent" });
  return new VmiWatch({
    client,
    nodeName: "node-1",
    rules: namingRules(ALL_VMS, "node-1"),
    log,
    clock,
    random: () => 0,
  });
}

function stored(...vmis: readonly Vmi[]): ReadonlyMap<string, Vmi> {
  return new Map(vmis.map((value) => [`${value.namespace}/${value.name}`, value]));
}

/** Returns the answer of an API server to a list of these VMIs. */
function listOf(...vmis: readonly Vmi[]) {
  const items = vmis.map((value) => {
    const { metadata, ...rest } = vmiObject(value) as { readonly metadata: object };
    return { ...rest, metadata: { ...metadata, resourceVersion: "1000" } };
  });
  return { kind: "status", status: 200, body: { metadata: { resourceVersion: "1000" }, items } } as const;
}

/** Returns the pods whose sockets are opened. */
function opened({ inventory }: VmiWatch): readonly string[] {
  return vmiEndpoints({ launchers: PODS.map((podUid) => ({ podUid, socket: podUid })), unusable: [] }, inventory).map(
    ({ socket }) => socket,
  );
}

void suite("VMs known before a restart", { skip }, () => {
  test("are collected while the API server does not answer, and other pods are held back", async () => {
    await using bench = await KubeBench.start();
    bench.server.fault = { kind: "status", status: 503 };
    await using watch = watchOf(bench);
    watch.restore(
      new Map([
        [HERE, stored(vmi())],
        [COMING, stored(vmi({ name: "db", pods: ["pod-2"] }))],
      ]),
    );
    watch.start();
    await bench.until("it has asked", () => bench.server.requestsOf(VMIS).length >= 2);
    assert.deepEqual(opened(watch), ["pod-1", "pod-2"]);
    assert.equal(watch.isSynced, false);
    assert.equal(watch.fault?.reason, "Unreachable");
    assert.equal(watch.inventory.identify("pod-1", { name: "shop_web", uuid: "u", id: 1 }, 1, undefined)?.name, "web");
  });

  test("stop at once when the API server's list does not have them", async () => {
    await using bench = await KubeBench.start();
    await using watch = watchOf(bench);
    watch.restore(new Map([[HERE, stored(vmi(), vmi({ name: "db", pods: ["pod-2"] }))]]));
    assert.deepEqual(opened(watch), ["pod-1", "pod-2"]);
    bench.server.faults.push(listOf(vmi({ pods: ["pod-3"], labels: { app: "new" } })), listOf());
    watch.start();
    await bench.passUntil("both lists are read", () => watch.isSynced);
    assert.deepEqual(opened(watch), ["pod-3"]);
    assert.deepEqual(watch.inventory.vmiOf("pod-3")?.labels, { app: "new" });
    assert.equal(watch.fault, undefined);
  });

  test("are collected while the API server denies the list, and the condition says Forbidden", async () => {
    await using bench = await KubeBench.start();
    bench.server.fault = { kind: "status", status: 403 };
    await using watch = watchOf(bench);
    watch.restore(new Map([[HERE, stored(vmi())]]));
    watch.start();
    await bench.until("it is denied", () => watch.fault?.reason === "Forbidden");
    assert.deepEqual(opened(watch), ["pod-1"]);
  });

  test("with a pod that two VMIs list are held back, and the condition says Ambiguous", async () => {
    await using bench = await KubeBench.start();
    await using watch = watchOf(bench);
    bench.server.faults.push(listOf(vmi({ pods: ["pod-1", "pod-2"] })), listOf(vmi({ name: "db", uid: "u2" })));
    watch.start();
    await bench.passUntil("both lists are read", () => watch.isSynced);
    assert.deepEqual(opened(watch), ["pod-2"]);
    assert.deepEqual(watch.fault, {
      reason: "Ambiguous",
      message: "shop/web and shop/db both list the pod pod-1, which is not collected",
    });
  });
});
