import assert from "node:assert/strict";
import { test } from "node:test";
import type { EffectiveTarget } from "../../../src/config/resolve.ts";
import { Secret } from "../../../src/config/secret.ts";
import { configOf, FAMILIES, named, RouterBench } from "../../support/router-bench.ts";

const never = new AbortController().signal;

test("queued lines are kept when the families of their target change", async () => {
  await using bench = new RouterBench();
  bench.down("a", "b");
  await bench.apply({ a: FAMILIES, b: FAMILIES });
  await bench.sample("before");
  await bench.apply({ a: ["Metrics"], b: FAMILIES });
  await bench.sample("after");
  bench.down();
  assert.equal(await bench.router.drain(never), true);
  const all = ["vm_metrics", "vm_features", "vm_devices", "vm_totals"];
  const before = all.map((measurement) => `before ${measurement}`);
  assert.deepEqual(bench.stored("a"), [...before, "after vm_metrics"]);
  assert.deepEqual(bench.stored("b").sort(), [...before, ...all.map((measurement) => `after ${measurement}`)].sort());
  assert.equal(bench.router.droppedLines, 0);
});

test("queued lines are kept when another target is added and removed", async () => {
  await using bench = new RouterBench();
  bench.down("a");
  await bench.apply({ a: ["Metrics"] });
  await bench.sample("one");
  await bench.apply({ a: ["Metrics"], b: ["Totals"] });
  await bench.sample("two");
  await bench.apply({ a: ["Metrics"] });
  await bench.sample("three");
  bench.down();
  assert.equal(await bench.router.drain(never), true);
  assert.deepEqual(bench.stored("a"), ["one vm_metrics", "two vm_metrics", "three vm_metrics"]);
  assert.deepEqual(bench.stored("b"), ["two vm_totals"]);
});

test("samples that were routed before a reload go to their old targets", async () => {
  await using bench = new RouterBench();
  await bench.apply({ a: ["Metrics"], b: ["Metrics"] });
  bench.router.route(named("web"));
  await bench.apply({ a: ["Totals"], b: ["Metrics"] }, { staticTags: { site: "north" } });
  assert.equal(await bench.router.drain(never), true);
  assert.deepEqual(bench.stored("a"), ["web vm_metrics"]);
  assert.doesNotMatch(bench.targets.b.stored.join(), /site=north/);
  await bench.sample("web");
  assert.equal(await bench.router.drain(never), true);
  assert.match(bench.targets.a.stored.join(), /vm_totals,.*,node=node-1,site=north /);
});

test("a target that remains gets its lines with its new settings", async () => {
  await using bench = new RouterBench();
  bench.down("a");
  await bench.apply({ a: FAMILIES });
  await bench.sample("web");
  bench.down();
  const { targets } = configOf({ a: FAMILIES });
  await bench.apply({}, { targets: targets.map((target) => ({ ...target, url: "http://127.0.0.1:2" })) });
  assert.equal(await bench.router.drain(never), true);
  assert.deepEqual(
    bench.targets.a.connections.map(({ url }) => url),
    ["http://127.0.0.1:1", "http://127.0.0.1:2"],
  );
});

test("a removed target gets no more requests, and its lines leave the spool", async () => {
  await using bench = new RouterBench();
  bench.down("a");
  await bench.apply({ a: FAMILIES, b: FAMILIES });
  await bench.sample("one");
  await bench.apply({ b: FAMILIES });
  const requests = bench.targets.a.requests.length;
  bench.down();
  await bench.sample("two");
  assert.equal(await bench.router.drain(never), true);
  assert.deepEqual([bench.targets.a.requests.length, bench.targets.a.closed], [requests, 1]);
  assert.deepEqual(
    bench.router.senders.map(({ name }) => name),
    ["b"],
  );
  assert.equal(bench.router.droppedLines, 0);
});

test("a renamed target gets its queued lines, with its new settings", async () => {
  await using bench = new RouterBench();
  bench.down("a");
  await bench.apply({ a: ["Metrics"] });
  await bench.sample("before");
  const [renamed] = configOf({ b: ["Metrics"] }).targets;
  assert.ok(renamed !== undefined);
  await bench.apply({}, { targets: [{ ...renamed, timeoutMs: 4_711 }] });
  assert.deepEqual(
    bench.router.senders.map(({ name }) => name),
    ["b"],
  );
  assert.equal(bench.router.undeliveredLines, 1);
  await bench.sample("after");
  bench.down();
  assert.equal(await bench.router.drain(never), true);
  assert.deepEqual([bench.stored("a"), bench.stored("b")], [["before vm_metrics"], ["after vm_metrics"]]);
  assert.equal(bench.targets.a.connections.at(-1)?.timeoutMs, 4_711);
  // The sender of a renamed target is removed when its queue is empty.
  await bench.sample("later");
  assert.equal(bench.targets.a.closed, bench.targets.a.connections.length);
  assert.equal(bench.router.droppedLines, 0);
});

test("a target that gets its old name back keeps its queued lines", async () => {
  await using bench = new RouterBench();
  bench.down("a", "b");
  await bench.apply({ a: ["Metrics"] });
  await bench.sample("one");
  await bench.apply({ b: ["Metrics"] });
  await bench.sample("two");
  await bench.apply({ a: ["Metrics"] });
  await bench.sample("three");
  assert.deepEqual(
    bench.router.senders.map(({ name }) => name),
    ["a"],
  );
  bench.down();
  assert.equal(await bench.router.drain(never), true);
  assert.deepEqual(bench.stored("a"), ["one vm_metrics", "three vm_metrics"]);
  assert.deepEqual(bench.stored("b"), ["two vm_metrics"]);
});

test("a target that is renamed and then gets another address keeps its queued lines", async () => {
  await using bench = new RouterBench();
  bench.down("a", "b");
  await bench.apply({ a: ["Metrics"] });
  await bench.sample("one");
  await bench.apply({ b: ["Metrics"] });
  await bench.sample("two");
  const [corrected] = configOf({ b: ["Metrics"] }).targets;
  assert.ok(corrected !== undefined);
  await bench.apply({}, { targets: [{ ...corrected, url: "http://127.0.0.1:2" }] });
  assert.deepEqual([bench.router.undeliveredLines, bench.discarded], [2, []]);
  bench.down();
  assert.equal(await bench.router.drain(never), true);
  assert.deepEqual([bench.stored("a"), bench.stored("b")], [["one vm_metrics"], ["two vm_metrics"]]);
  assert.equal(bench.targets.a.connections.at(-1)?.url, "http://127.0.0.1:2");
});

test("a target that is renamed twice keeps its queued lines until it is removed under its last name", async () => {
  await using bench = new RouterBench();
  bench.down("a", "b");
  await bench.apply({ a: ["Metrics"] });
  await bench.sample("one");
  await bench.apply({ b: ["Metrics"] });
  await bench.apply({ c: ["Metrics"] });
  assert.equal(bench.router.undeliveredLines, 1);
  const [moved] = configOf({ c: ["Metrics"] }).targets;
  assert.ok(moved !== undefined);
  await bench.apply({}, { targets: [{ ...moved, url: "http://127.0.0.1:2" }] });
  assert.equal(bench.router.undeliveredLines, 1);
  await bench.apply({});
  assert.deepEqual([bench.router.undeliveredLines, bench.discarded.includes("a 1")], [0, true]);
});

test("the removal of a renamed target drops its queued lines, also those of the old name", async () => {
  await using bench = new RouterBench();
  bench.down("a", "b");
  await bench.apply({ a: ["Metrics"] });
  await bench.sample("one");
  await bench.apply({ b: ["Metrics"] });
  const [elsewhere] = configOf({ c: ["Metrics"] }).targets;
  assert.ok(elsewhere !== undefined);
  await bench.apply({}, { targets: [{ ...elsewhere, url: "http://127.0.0.1:2" }] });
  assert.equal(bench.router.undeliveredLines, 0);
  assert.equal(bench.router.spoolStats.frames, 0);
});

test("the backoff of a target goes on when only another target changes, and ends when its Secret does", async () => {
  await using bench = new RouterBench();
  bench.down("a");
  const targets = (token: string, other: Partial<EffectiveTarget> = {}): readonly EffectiveTarget[] => {
    const [a, b] = configOf({ a: ["Metrics"], b: ["Metrics"] }).targets;
    assert.ok(a !== undefined && b !== undefined);
    return [
      { ...a, credentials: { kind: "token", token: new Secret(token) } },
      { ...b, ...other },
    ];
  };
  await bench.apply({}, { targets: targets("one") });
  await bench.sample("web");
  await bench.clock.advance(60_000);
  const { requests } = bench.targets.a;
  const before = requests.length;
  for (const timeoutMs of [1_000, 2_000, 3_000]) {
    await bench.apply({}, { targets: targets("one", { timeoutMs }) });
    await bench.clock.advance(0);
  }
  assert.equal(requests.length, before);
  await bench.apply({}, { targets: targets("two") });
  await bench.clock.advance(0);
  assert.equal(requests.length, before + 1);
});

test("the number of rejected lines does not fall when a target is removed", async () => {
  await using bench = new RouterBench();
  await bench.apply({ a: FAMILIES, b: FAMILIES });
  bench.targets.a.answer = () => ({ status: 400, body: '{"error":"partial write: field type conflict: x dropped=1"}' });
  await bench.sample("web");
  await bench.clock.advance(10_000);
  const { rejectedLines } = bench.router;
  assert.ok(rejectedLines > 0);
  await bench.apply({ b: FAMILIES });
  assert.equal(bench.router.rejectedLines, rejectedLines);
});
