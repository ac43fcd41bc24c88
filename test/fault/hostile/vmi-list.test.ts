import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { pino } from "pino";
import { VMIS } from "../../../src/cluster/kinds.ts";
import { VmiWatch } from "../../../src/cluster/vmi-watch.ts";
import { projectVmi } from "../../../src/discovery/vmi.ts";
import { namingRules, ALL_VMS } from "../../../src/node/endpoints.ts";
import { watchView } from "../../../src/observability/watch-view.ts";
import { nodeReport } from "../../../src/status/node-report.ts";
import { KubeBench } from "../../support/kube-bench.ts";
import { observation } from "../../support/observation.ts";
import { skipWithoutOpenssl } from "../../support/openssl.ts";

const skip = skipWithoutOpenssl("lists of VMIs");
const KIB = 1024;
const MIB = 1024 * KIB;

/** Returns a VMI of about this size as an API server writes it. */
function vmi(name: string, bytes: number) {
  const userData = `#cloud-config {"[\\\n${'ü{}[]\\"'.repeat(100)}${"x".repeat(bytes - 2_000)}`;
  return {
    apiVersion: "kubevirt.io/v1",
    kind: "VirtualMachineInstance",
    metadata: { name, namespace: "default", uid: `uid-${name}`, resourceVersion: "1000", labels: { app: name } },
    spec: { volumes: [{ name: "init", cloudInitNoCloud: { userData } }] },
    status: { nodeName: "n1", activePods: { [`pod-${name}`]: "n1" } },
  };
}

/** Returns a VMI with 900 short attributes that no other VMI has. */
function crowded(name: string, bytes: number) {
  const plain = vmi(name, bytes);
  const many = (prefix: string): Readonly<Record<string, string>> =>
    Object.fromEntries(Array.from({ length: 450 }, (_, index) => [`${prefix}${name}-${index}`, `${name}${index}`]));
  return { ...plain, metadata: { ...plain.metadata, labels: many("l"), annotations: many("a") } };
}

/** Returns the bytes of reachable objects. */
function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}

/** Makes the text of a list while it is read. */
function* listOf(
  sizes: readonly number[],
  make: (name: string, bytes: number) => object = vmi,
): Generator<string, void, undefined> {
  yield '{"apiVersion":"kubevirt.io/v1","items":[';
  for (const [index, bytes] of sizes.entries())
    yield `${index === 0 ? "" : ","}${JSON.stringify(make(`vm-${index}`, bytes))}`;
  yield '],"kind":"VirtualMachineInstanceList","metadata":{"continue":"","resourceVersion":"1000"}}';
}

function reflectVmis(bench: KubeBench) {
  return bench.reflect({
    path: VMIS,
    project: (object) => {
      const found = projectVmi(object, "n1");
      return found && { name: found.name, value: found };
    },
  });
}

/** Returns the condition of a node whose VMIs have this fault, and Ready. */
function conditionsFor(namesFault: VmiWatch["fault"]): readonly string[] {
  return nodeReport(observation({ namesFault }), undefined, 0)
    .conditions.filter(({ type }) => type === "NamesKnown" || type === "Ready")
    .map(({ type, status, reason }) => `${type} ${status} ${reason}`);
}

function messageOf({ fault }: Pick<VmiWatch, "fault">): string {
  return fault?.message ?? "";
}

void suite("lists of VMIs", { skip }, () => {
  test("of 2,000 VMIs of 300 KB in one answer hold the text of one VMI at a time", async () => {
    await using bench = await KubeBench.start();
    const sizes = Array.from({ length: 2_000 }, () => 300 * KIB);
    bench.server.faults.push({ kind: "stream", parts: listOf(sizes) });
    const reflector = reflectVmis(bench);
    await reflector.synced;
    assert.equal(reflector.objects.size, 2_000);
    assert.deepEqual(bench.events, ["connected", "listed 2000, missed 0"]);
    assert.ok(bench.peakBytes > 290 * KIB && bench.peakBytes < 310 * KIB, String(bench.peakBytes));
    assert.equal(reflector.fault, undefined);
    assert.deepEqual(conditionsFor(reflector.fault), ["Ready True AsExpected", "NamesKnown True Known"]);
    assert.ok(JSON.stringify([...reflector.objects.values()]).length < MIB);
  });

  test("of 2,000 VMIs with as many labels and annotations as fit need at most 32 MiB", async () => {
    await using bench = await KubeBench.start();
    bench.server.faults.push({
      kind: "stream",
      parts: listOf(
        Array.from({ length: 2_000 }, () => 3 * KIB),
        crowded,
      ),
    });
    const before = heapBytes();
    const reflector = reflectVmis(bench);
    await reflector.synced;
    assert.equal(reflector.objects.size, 2_000);
    const bytes = heapBytes() - before;
    assert.ok(bytes < 32 * MIB, `${Math.round(bytes / MIB)} MiB`);
  });

  test("leave out a VMI of 5 MiB and report it until it is smaller", async () => {
    await using bench = await KubeBench.start();
    bench.server.faults.push({ kind: "stream", parts: listOf([10 * KIB, 5 * MIB, 10 * KIB]) });
    const reflector = reflectVmis(bench);
    await reflector.synced;
    assert.deepEqual([...reflector.objects.keys()], ["default/vm-0", "default/vm-2"]);
    assert.deepEqual(bench.events, ["connected", "listed 2, missed 0, too large 1"]);
    assert.ok(bench.peakBytes <= 4 * MIB, String(bench.peakBytes));
    assert.deepEqual(watchView("VMIs", reflector).fault, {
      reason: "TooLarge",
      message: "1 object is left out: larger than 4 MiB as JSON: default/vm-1",
    });
    assert.deepEqual(conditionsFor(reflector.fault), ["Ready True AsExpected", "NamesKnown False TooLarge"]);
    await bench.until("the watch is open", () => bench.server.watches.size === 1);
    const [{ stream } = assert.fail("no watch")] = bench.server.watches;
    const smaller = {
      ...vmi("vm-1", 10 * KIB),
      metadata: { ...vmi("vm-1", 10 * KIB).metadata, resourceVersion: "1001" },
    };
    stream.write(`${JSON.stringify({ type: "MODIFIED", object: smaller })}\n`);
    await bench.until("it has arrived", () => reflector.objects.size === 3);
    assert.equal(reflector.fault, undefined);
  });

  test("replace a watch whose event is too large, and keep the other VMIs", async () => {
    await using bench = await KubeBench.start();
    bench.server.faults.push({ kind: "stream", parts: listOf([10 * KIB, 10 * KIB]) });
    const reflector = reflectVmis(bench);
    await reflector.synced;
    await bench.until("the watch is open", () => bench.server.watches.size === 1);
    const [{ stream } = assert.fail("no watch")] = bench.server.watches;
    bench.server.faults.push({ kind: "stream", parts: listOf([10 * KIB, 5 * MIB]) });
    stream.write(`${JSON.stringify({ type: "MODIFIED", object: vmi("vm-1", 5 * MIB) })}\n`);
    await bench.passUntil(
      "the list is read again",
      () => reflector.counters.lists === 2 && reflector.objects.size === 1,
    );
    assert.match(bench.of("interrupted").join(), /E_KUBE_PROTOCOL a line has more than 4194304 bytes/);
    assert.equal(reflector.fault?.reason, "TooLarge");
  });

  test("that are forbidden are reported as Forbidden until they are allowed", async () => {
    await using bench = await KubeBench.start();
    bench.server.fault = { kind: "status", status: 403 };
    const log = pino({ level: "silent" });
    const { api: client, clock } = bench;
    await using watch = new VmiWatch({ client, nodeName: "n1", rules: namingRules(ALL_VMS, "n1"), log, clock });
    assert.deepEqual(watch.fault, { reason: "Unreachable", message: "the API server has not answered the list yet" });
    watch.start();
    await bench.until("it is denied", () => watch.fault?.reason === "Forbidden");
    assert.match(messageOf(watch), /^the API server rejects the list of .*: 403 injected fault$/);
    assert.deepEqual(conditionsFor(watch.fault), ["Ready True AsExpected", "NamesKnown False Forbidden"]);
    bench.server.fault = undefined;
    await bench.passUntil("both lists are read", () => watch.isSynced);
    assert.equal(watch.fault, undefined);
  });

  test("that break off inside a VMI change nothing, and are read again", async () => {
    await using bench = await KubeBench.start();
    const text = [...listOf([10 * KIB, 10 * KIB])].join("");
    bench.server.faults.push({ kind: "bytes", bytes: text.slice(0, 15 * KIB), then: "resetStream" });
    bench.server.faults.push({ kind: "bytes", bytes: text.slice(0, 15 * KIB), then: "end" });
    bench.server.faults.push({ kind: "stream", parts: listOf([10 * KIB, 10 * KIB]) });
    const reflector = reflectVmis(bench);
    await bench.passUntil("it is synced", () => bench.of("listed").length === 1);
    assert.deepEqual(bench.of("listed"), ["listed 2, missed 0"]);
    assert.equal(bench.of("interrupted").length, 2);
    assert.equal(reflector.objects.size, 2);
  });

  test("start again from the cache when a server without limits forgets their next page", async () => {
    await using bench = await KubeBench.start();
    const body = { metadata: { resourceVersion: "1000", continue: "0/1" }, items: [vmi("vm-0", 10 * KIB)] };
    bench.server.faults.push({ kind: "status", status: 200, body }, { kind: "status", status: 410 });
    bench.server.faults.push({ kind: "stream", parts: listOf([10 * KIB, 10 * KIB]) });
    const reflector = reflectVmis(bench);
    await bench.passUntil("it is synced", () => reflector.objects.size === 2);
    const first = { limit: "500", resourceVersion: "0" };
    assert.deepEqual(
      bench.server
        .requestsOf(VMIS)
        .slice(0, 3)
        .map(({ query }) => query),
      [first, { limit: "500", continue: "0/1" }, first],
    );
  });
});
