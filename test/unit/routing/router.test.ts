import assert from "node:assert/strict";
import { test } from "node:test";
import { RAW } from "../../../src/collection/libvirt/raw-parameters.ts";
import type { Family } from "../../../src/contract.ts";
import { configOf, FAMILIES, named, RouterBench } from "../../support/router-bench.ts";
import { disk, nic, throwingSample } from "../../support/samples.ts";

const never = new AbortController().signal;

test("every target gets the lines of its families", async () => {
  await using bench = new RouterBench();
  await bench.apply({ a: ["Metrics", "Totals"], b: ["Metrics", "Features"] });
  await bench.sample("web");
  assert.equal(await bench.router.drain(never), true);
  assert.deepEqual(bench.stored("a"), ["web vm_metrics", "web vm_totals"]);
  assert.deepEqual(bench.stored("b"), ["web vm_metrics", "web vm_features"]);
});

test("every target gets only the VMs of its namespaces and labels", async () => {
  await using bench = new RouterBench();
  const config = configOf({ a: ["Metrics"], b: ["Metrics"] });
  const narrow = { namespaces: { include: ["team-*"] }, vmSelector: { matchLabels: { tier: "front" } } };
  const targets = config.targets.map((target) => (target.name === "b" ? { ...target, vms: narrow } : target));
  await bench.router.apply({ ...config, targets });
  const add = (name: string, namespace: string, labels: Readonly<Record<string, string>>): void => {
    bench.router.route(named(name, { identity: { id: 1, uuid: name, name, namespace, labels } }));
  };
  add("one", "team-a", { tier: "front" });
  add("two", "team-a", { tier: "back" });
  add("three", "shop", { tier: "front" });
  assert.equal(await bench.router.flush(), 3);
  assert.equal(await bench.router.drain(never), true);
  assert.deepEqual(bench.stored("a").sort(), ["one vm_metrics", "three vm_metrics", "two vm_metrics"]);
  assert.deepEqual(bench.stored("b"), ["one vm_metrics"]);
});

test("a target has in vm_raw what its other families do not have", async () => {
  await using bench = new RouterBench();
  const families = ["Devices", "Raw"] as const;
  await bench.router.apply({ ...configOf({ a: families, b: ["Raw"] }), families, rawGroups: ["Block"] });
  const parameters = new Map([["block.0.rd.reqs", 1n]]);
  bench.router.route(named("web", { nics: [], disks: [disk("vda")], readings: new Map([[RAW, parameters]]) }));
  await bench.router.flush();
  assert.equal(await bench.router.drain(never), true);
  assert.deepEqual(bench.stored("a"), ["web vm_devices"]);
  assert.deepEqual(bench.stored("b"), ["web vm_raw"]);
});

test("events that arrive while a target is renamed are not lost", async () => {
  await using bench = new RouterBench();
  const families = ["Events"] as const;
  await bench.apply({ a: families }, { families });
  const { identity } = named("web");
  const [applied, flushed] = [bench.apply({ b: families }, { families }), [] as Promise<number>[]];
  for (let timestampMs = 1; timestampMs <= 20; timestampMs++) {
    bench.router.routeReport({ timestampMs, identity, kind: "reboot", count: 1 });
    flushed.push(bench.router.flush());
    await Promise.resolve();
  }
  await Promise.all([applied, ...flushed]);
  assert.equal(await bench.router.drain(never), true);
  assert.equal(bench.targets.a.stored.length + bench.targets.b.stored.length, 20);
});

test("a line for several targets is counted once", async () => {
  await using bench = new RouterBench();
  const counts: number[] = [];
  for (const families of [
    { a: FAMILIES, b: FAMILIES },
    { a: ["Metrics"], b: ["Totals"] },
    { a: ["Metrics", "Totals"], b: ["Metrics"] },
    { a: ["Metrics"], b: [] },
  ] satisfies Record<"a" | "b", readonly Family[]>[]) {
    await bench.apply(families);
    counts.push(await bench.sample("web"));
  }
  assert.deepEqual(counts, [6, 2, 2, 1]);
});

test("an exception loses one domain's lines in one encoder, and is reported with its name", async () => {
  await using bench = new RouterBench();
  await bench.apply({ a: ["Devices"], b: ["Metrics"] });
  const identity = { id: 2, uuid: "bad", name: "bad", namespace: "shop" };
  assert.deepEqual(bench.router.route(named("before")), []);
  const [failure, ...others] = bench.router.route(throwingSample({ identity }));
  assert.deepEqual([failure?.code, others], ["E_INTERNAL", []]);
  assert.match(failure?.message ?? "", /shop\/bad .*a bug/);
  assert.deepEqual(bench.router.route(named("after")), []);
  await bench.router.flush();
  assert.equal(await bench.router.drain(never), true);
  assert.deepEqual(bench.stored("a"), ["before vm_devices", "after vm_devices"]);
  assert.deepEqual(bench.stored("b"), ["before vm_metrics", "bad vm_metrics", "after vm_metrics"]);
});

test("a missing value is reported once, although the families of the targets differ", async () => {
  await using bench = new RouterBench();
  await bench.apply({ a: ["Devices", "Metrics"], b: ["Devices"] });
  bench.router.route(named("web", { nics: [nic("tap0", { rxBytes: undefined })], disks: [] }));
  assert.deepEqual(bench.missing, ["web vm_devices.rxbytes"]);
});

test("new lines reach every target while the backlog of one drains", async () => {
  await using bench = new RouterBench();
  bench.down("a");
  const slow = configOf({ a: ["Metrics"], b: ["Metrics"] }).targets.map((target) => ({
    ...target,
    flush: { intervalMs: 1_000, maxLines: 10, maxBytes: 1 << 20 },
    maxDrainLinesPerSecond: 1,
  }));
  await bench.apply({}, { targets: slow });
  for (let cycle = 0; cycle < 40; cycle++) {
    await bench.sample(`old-${cycle}`);
    await bench.clock.advance(1_000);
  }
  bench.down();
  // Another setting ends the backoff.
  await bench.apply({}, { targets: slow.map((target) => ({ ...target, timeoutMs: 4_711 })) });
  await bench.clock.advance(1_000);
  for (let cycle = 0; cycle < 5; cycle++) {
    await bench.sample(`new-${cycle}`);
    await bench.clock.advance(2_000);
    for (const name of ["a", "b"] as const) assert.ok(bench.stored(name).includes(`new-${cycle} vm_metrics`), name);
  }
  assert.ok(bench.router.undeliveredLines > 10);
  assert.equal(await bench.router.drain(never), true);
  assert.deepEqual(bench.stored("a").sort(), bench.stored("b").sort());
  assert.equal(bench.targets.a.stored.length, 45);
});

test("a smaller buffer drops no lines that fit after the removal of another target", async () => {
  await using bench = new RouterBench();
  bench.down("a", "b");
  await bench.apply({ b: ["Metrics"] });
  await bench.sample("old");
  const [waiting] = bench.router.senders.map(({ backlog }) => backlog);
  await bench.apply({ a: FAMILIES, b: ["Metrics"] });
  await bench.apply({ a: FAMILIES, b: [] });
  await bench.sample("new");
  await bench.apply({ b: [] }, { buffer: { maxBytes: waiting?.bytes ?? 0, maxAgeMs: 86_400_000 } });
  assert.deepEqual(
    bench.router.senders.map(({ backlog }) => backlog),
    [waiting],
  );
});

test("all targets share the size of the buffer", async () => {
  await using bench = new RouterBench();
  bench.down("a", "b");
  await bench.apply({ a: ["Metrics"], b: ["Totals"] }, { buffer: { maxBytes: 5_000, maxAgeMs: 86_400_000 } });
  for (let round = 0; round < 50; round++) await bench.sample(`vm-${round}`);
  const bytes = bench.router.senders.map(({ backlog }) => backlog.bytes);
  assert.ok(bytes.every((each) => each > 1_000) && bytes.reduce((sum, each) => sum + each) <= 5_000, bytes.join(" "));
  const waiting = bench.router.senders.reduce((sum, { backlog }) => sum + backlog.lines, 0);
  assert.equal(bench.router.droppedLines + waiting, 100);
});

test("one failing target makes the drain fail, and its queued lines are counted after the end", async () => {
  await using bench = new RouterBench();
  bench.down("b");
  await bench.apply({ a: FAMILIES, b: FAMILIES });
  await bench.sample("web");
  const stop = new AbortController();
  const drained = bench.router.drain(stop.signal);
  await bench.clock.advance(3_000);
  stop.abort();
  assert.equal(await drained, false);
  await bench.router.stop();
  assert.deepEqual(
    bench.router.senders.map(({ backlog }) => backlog.lines),
    [0, 6],
  );
  assert.equal(bench.clock.sleeping, 0);
});

test("the queued lines of a removed target are reported", async () => {
  await using bench = new RouterBench();
  bench.down("a", "b");
  await bench.apply({ a: ["Metrics"], b: ["Metrics", "Totals"] });
  await bench.sample("web");
  await bench.apply({ a: ["Metrics"] });
  assert.deepEqual(bench.discarded, ["b 2"]);
});
