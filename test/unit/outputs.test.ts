import assert from "node:assert/strict";
import { test } from "node:test";
import type { Family } from "../../src/config/schema.ts";
import type { EffectiveConfig } from "../../src/config/resolve.ts";
import { Outputs } from "../../src/outputs.ts";
import { ObserverLog, targetSettings } from "../support/delivery.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { MemoryTarget, taken } from "../support/memory-target.ts";
import { nic, sample } from "../support/samples.ts";

const FAMILIES: readonly Family[] = ["Metrics", "Features", "Devices", "Totals"];
const never = new AbortController().signal;

/** A configuration in which each target has the families given for it. */
function configOf(families: Readonly<Record<string, readonly Family[]>>): EffectiveConfig {
  const vms = { namespaces: {}, vmSelector: {} };
  return {
    state: "Active",
    intervalMs: 5_000,
    timeoutMs: 4_000,
    families: FAMILIES,
    onMissing: "Zero",
    maxConcurrentEndpoints: 16,
    deviceCacheTtlMs: 300_000,
    vms,
    staticTags: {},
    vmLabels: [],
    vmAnnotations: [],
    measurementPrefix: "",
    buffer: { maxBytes: 1 << 30, maxAgeMs: 86_400_000 },
    targets: Object.entries(families).map(([name, wanted]) => ({
      ...targetSettings(),
      name,
      credentials: { kind: "none" },
      tls: { mode: "Plaintext" },
      families: wanted,
      vms,
    })),
  };
}

class Bench implements AsyncDisposable {
  readonly clock = new FakeClock();
  readonly log = new ObserverLog();
  readonly missing: string[] = [];
  readonly targets: Readonly<Record<"a" | "b", MemoryTarget>> = { a: new MemoryTarget(), b: new MemoryTarget() };
  readonly outputs = new Outputs({
    node: "node-1",
    clock: this.clock,
    observer: this.log,
    onMissing: (field, { name }) => this.missing.push(`${name} ${field}`),
    transport: (settings) => this.targets[settings.name === "a" ? "a" : "b"].transport(settings),
  });

  async apply(
    families: Readonly<Record<string, readonly Family[]>>,
    change: Partial<EffectiveConfig> = {},
  ): Promise<void> {
    await this.outputs.apply({ ...configOf(families), ...change });
  }

  /** One sample of a domain with this name, spooled; returns how many lines it took. */
  async sample(name: string): Promise<number> {
    this.outputs.add(named(name));
    const lines = await this.outputs.flush();
    await this.clock.advance(0);
    return lines;
  }

  down(...names: readonly ("a" | "b")[]): void {
    for (const name of ["a", "b"] as const)
      this.targets[name].answer = names.includes(name) ? () => ({ status: 503, body: "" }) : taken;
  }

  /** What a target has stored: measurement and domain of each line, without repetitions. */
  stored(name: "a" | "b"): string[] {
    const words = this.targets[name].stored.map((line) => /^([^,]+),VMID=\d+,name=([^,]+)/.exec(line));
    return [...new Set(words.map((match) => `${match?.[2] ?? ""} ${match?.[1] ?? ""}`))];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.outputs.stop();
  }
}

function named(name: string, overrides: Parameters<typeof sample>[0] = {}): ReturnType<typeof sample> {
  return sample({ identity: { id: 1, uuid: name, name }, ...overrides });
}

test("every target gets the lines of its families", async () => {
  await using bench = new Bench();
  await bench.apply({ a: ["Metrics", "Totals"], b: ["Metrics", "Features"] });
  await bench.sample("web");
  assert.equal(await bench.outputs.drain(never), true);
  assert.deepEqual(bench.stored("a"), ["web vm_metrics", "web vm_totals"]);
  assert.deepEqual(bench.stored("b"), ["web vm_metrics", "web vm_features"]);
});

test("every target gets the VMs of its namespaces and labels, and none of the others", async () => {
  await using bench = new Bench();
  const config = configOf({ a: ["Metrics"], b: ["Metrics"] });
  const narrow = { namespaces: { include: ["team-*"] }, vmSelector: { matchLabels: { tier: "front" } } };
  const targets = config.targets.map((target) => (target.name === "b" ? { ...target, vms: narrow } : target));
  await bench.outputs.apply({ ...config, targets });
  const add = (name: string, namespace: string, labels: Readonly<Record<string, string>>): void => {
    bench.outputs.add(named(name, { identity: { id: 1, uuid: name, name, namespace, labels } }));
  };
  add("one", "team-a", { tier: "front" });
  add("two", "team-a", { tier: "back" });
  add("three", "shop", { tier: "front" });
  assert.equal(await bench.outputs.flush(), 3);
  assert.equal(await bench.outputs.drain(never), true);
  assert.deepEqual(bench.stored("a").sort(), ["one vm_metrics", "three vm_metrics", "two vm_metrics"]);
  assert.deepEqual(bench.stored("b"), ["one vm_metrics"]);
});

test("a line is counted once, however many targets get it", async () => {
  await using bench = new Bench();
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

test("a value that is missing is reported once, however the targets' families differ", async () => {
  await using bench = new Bench();
  await bench.apply({ a: ["Devices", "Metrics"], b: ["Devices"] });
  bench.outputs.add(named("web", { nics: [nic("tap0", { rxBytes: undefined })], disks: [] }));
  assert.deepEqual(bench.missing, ["web vm_devices.rxbytes"]);
});

test("what waits for a target that stays is kept when its families change", async () => {
  await using bench = new Bench();
  bench.down("a", "b");
  await bench.apply({ a: FAMILIES, b: FAMILIES });
  await bench.sample("before");
  await bench.apply({ a: ["Metrics"], b: FAMILIES });
  await bench.sample("after");
  bench.down();
  assert.equal(await bench.outputs.drain(never), true);
  const all = ["vm_metrics", "vm_features", "vm_devices", "vm_totals"];
  const before = all.map((measurement) => `before ${measurement}`);
  assert.deepEqual(bench.stored("a"), [...before, "after vm_metrics"]);
  assert.deepEqual(bench.stored("b").sort(), [...before, ...all.map((measurement) => `after ${measurement}`)].sort());
  assert.equal(bench.outputs.droppedLines, 0);
});

test("what waits is kept when a target comes that wants other families, and when it goes again", async () => {
  await using bench = new Bench();
  bench.down("a");
  await bench.apply({ a: ["Metrics"] });
  await bench.sample("one");
  await bench.apply({ a: ["Metrics"], b: ["Totals"] });
  await bench.sample("two");
  await bench.apply({ a: ["Metrics"] });
  await bench.sample("three");
  bench.down();
  assert.equal(await bench.outputs.drain(never), true);
  assert.deepEqual(bench.stored("a"), ["one vm_metrics", "two vm_metrics", "three vm_metrics"]);
  assert.deepEqual(bench.stored("b"), ["two vm_totals"]);
});

test("what was added before a reload goes out as it was meant", async () => {
  await using bench = new Bench();
  await bench.apply({ a: ["Metrics"], b: ["Metrics"] });
  bench.outputs.add(named("web"));
  await bench.apply({ a: ["Totals"], b: ["Metrics"] }, { staticTags: { site: "north" } });
  assert.equal(await bench.outputs.drain(never), true);
  assert.deepEqual(bench.stored("a"), ["web vm_metrics"]);
  assert.doesNotMatch(bench.targets.b.stored.join(), /site=north/);
  await bench.sample("web");
  assert.equal(await bench.outputs.drain(never), true);
  assert.match(bench.targets.a.stored.join(), /vm_totals,.*,node=node-1,site=north /);
});

test("a target that stays is sent to with its new settings", async () => {
  await using bench = new Bench();
  bench.down("a");
  await bench.apply({ a: FAMILIES });
  await bench.sample("web");
  bench.down();
  const { targets } = configOf({ a: FAMILIES });
  await bench.apply({}, { targets: targets.map((target) => ({ ...target, url: "http://127.0.0.1:2" })) });
  assert.equal(await bench.outputs.drain(never), true);
  assert.deepEqual(
    bench.targets.a.connections.map(({ url }) => url),
    ["http://127.0.0.1:1", "http://127.0.0.1:2"],
  );
});

test("a target that goes is no longer sent to, and needs nothing any more", async () => {
  await using bench = new Bench();
  bench.down("a");
  await bench.apply({ a: FAMILIES, b: FAMILIES });
  await bench.sample("one");
  await bench.apply({ b: FAMILIES });
  const requests = bench.targets.a.requests.length;
  bench.down();
  await bench.sample("two");
  assert.equal(await bench.outputs.drain(never), true);
  assert.deepEqual([bench.targets.a.requests.length, bench.targets.a.closed], [requests, 1]);
  assert.deepEqual(
    bench.outputs.senders.map(({ name }) => name),
    ["b"],
  );
  assert.equal(bench.outputs.droppedLines, 0);
});

test("a smaller buffer costs a target nothing that stays within it once another has gone", async () => {
  await using bench = new Bench();
  bench.down("a", "b");
  await bench.apply({ b: ["Metrics"] });
  await bench.sample("old");
  const [waiting] = bench.outputs.senders.map(({ backlog }) => backlog);
  await bench.apply({ a: FAMILIES, b: ["Metrics"] });
  await bench.apply({ a: FAMILIES, b: [] });
  await bench.sample("new");
  await bench.apply({ b: [] }, { buffer: { maxBytes: waiting?.bytes ?? 0, maxAgeMs: 86_400_000 } });
  assert.deepEqual(
    bench.outputs.senders.map(({ backlog }) => backlog),
    [waiting],
  );
});

test("the buffer's size is for all targets together, whatever their families", async () => {
  await using bench = new Bench();
  bench.down("a", "b");
  await bench.apply({ a: ["Metrics"], b: ["Totals"] }, { buffer: { maxBytes: 5_000, maxAgeMs: 86_400_000 } });
  for (let round = 0; round < 50; round++) await bench.sample(`vm-${round}`);
  const bytes = bench.outputs.senders.map(({ backlog }) => backlog.bytes);
  assert.ok(bytes.every((each) => each > 1_000) && bytes.reduce((sum, each) => sum + each) <= 5_000, bytes.join(" "));
  const waiting = bench.outputs.senders.reduce((sum, { backlog }) => sum + backlog.lines, 0);
  assert.equal(bench.outputs.droppedLines + waiting, 100);
});

test("one target that does not take its lines makes the drain fail, and can be asked what is left after the end", async () => {
  await using bench = new Bench();
  bench.down("b");
  await bench.apply({ a: FAMILIES, b: FAMILIES });
  await bench.sample("web");
  const stop = new AbortController();
  const drained = bench.outputs.drain(stop.signal);
  await bench.clock.advance(3_000);
  stop.abort();
  assert.equal(await drained, false);
  await bench.outputs.stop();
  assert.deepEqual(
    bench.outputs.senders.map(({ backlog }) => backlog.lines),
    [0, 6],
  );
  assert.equal(bench.clock.sleeping, 0);
});
