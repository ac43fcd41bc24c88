import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { RunningAgent, target1 } from "./support/agent.ts";
import type { LogEntry } from "./support/agent-process.ts";
import { LibvirtHost } from "./support/libvirt-host.ts";
import {
  fallenCounters,
  linesOf,
  RecordingSink,
  repeatedPoints,
  ticksSpanned,
  type Cycle,
} from "./support/recording-sink.ts";

const INTERVAL_MS = 2_000;
const GUESTS = ["web", "db", "batch"];

const resources = new AsyncDisposableStack();
let sink: RecordingSink;
let agent: RunningAgent;
let outage: LogEntry;
/** Of every domain: vm_metrics, vm_features, vm_totals, a disk and an interface. */
const LINES = GUESTS.length * 5;
/** libvirtd connects to each QEMU again, which takes seconds on a busy machine. */
const MAX_CYCLES = 30;
/** Cycles that ended before the stop, and cycles from the first complete one after the daemon answered again. */
let cyclesBefore: readonly Cycle[];
let cyclesAfter: readonly Cycle[];

before(async () => {
  const host = resources.use(await LibvirtHost.start());
  // A guest with moving counters: it repeatedly tries to boot from an empty disk.
  await host.createGuest("web", { paused: false });
  for (const name of GUESTS.slice(1)) await host.createGuest(name);
  sink = resources.use(await RecordingSink.start());
  agent = resources.use(
    await RunningAgent.start({ targets: target1(sink), interval: `${INTERVAL_MS}ms`, sockets: [host.socket] }),
  );
  await agent.run(3);
  const cycles = sink.cycles.length;
  await host.stopDaemon();
  outage = await agent.logged(({ msg }) => msg.startsWith("no statistics from libvirt"), "that libvirt is gone");
  await host.startDaemon();
  await agent.logged(({ msg }) => msg === "libvirt answers again", "that libvirt is back");
  const answered = sink.cycles.length;
  const complete = (): number => sink.cycles.findIndex(({ points }, at) => at >= answered && points.length === LINES);
  for (let cycle = 0; complete() < 0 && cycle < MAX_CYCLES; cycle++) await agent.run(1);
  await agent.run(3);
  assert.equal(await agent.stop(), 0);
  cyclesBefore = sink.cycles.slice(0, cycles);
  cyclesAfter = complete() < 0 ? [] : sink.cycles.slice(complete());
});

after(() => resources.disposeAsync());

test("a daemon that ends is one warning with a code", () => {
  assert.equal(outage.level, "warn");
  assert.match(String(outage["code"]), /^E_LIBVIRT_(UNREACHABLE|CLOSED)$/);
  assert.equal(agent.log.filter(({ msg }) => msg === outage.msg).length, 1);
});

test("the agent keeps running, and no domain is taken for another", () => {
  assert.equal(agent.log.filter(({ msg }) => msg === "started").length, 1);
  // A domain that libvirtd is not connected to yet can be missing in a cycle, and appear again.
  const appeared = new Set(agent.log.filter(({ msg }) => msg === "domain appeared").map(({ domain }) => domain));
  assert.deepEqual([...appeared].sort(), [...GUESTS].sort());
});

test("once the daemon answers, every domain has every point again", () => {
  assert.ok(cyclesBefore.length >= 2 && cyclesAfter.length >= 2, `${cyclesBefore.length}, ${cyclesAfter.length}`);
  for (const name of GUESTS) {
    const lines = linesOf(cyclesBefore[1] as Cycle, name);
    assert.equal(lines.length, 5, String(lines));
    for (const cycle of cyclesAfter) assert.deepEqual(linesOf(cycle, name), lines);
  }
});

test("no point is repeated, and no interval has two cycles", () => {
  assert.deepEqual(repeatedPoints(sink.points), []);
  assert.ok(sink.cycles.length <= ticksSpanned(sink.cycles, INTERVAL_MS));
});

test("counters continue from their last value", () => {
  assert.deepEqual(fallenCounters(sink.points), []);
  const cpuTime = ({ points }: Cycle): bigint =>
    BigInt(points.find(({ tags }) => tags.get("name") === "web")?.fields.get("cputime_ns") ?? -1);
  assert.ok(cpuTime(cyclesAfter.at(-1) as Cycle) > cpuTime(cyclesBefore[0] as Cycle), "the guest has worked");
});
