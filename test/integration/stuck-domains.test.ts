import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { systemClock } from "../../src/lib/clock.ts";
import { RunningAgent, target1 } from "./support/agent.ts";
import { LibvirtHost } from "./support/libvirt-host.ts";
import { fallenCounters, linesOf, RecordingSink, ticksSpanned, type Cycle } from "./support/recording-sink.ts";

const INTERVAL_MS = 2_000;
/** A domain that the agent has known for less than this is starting, and one that is silent for less than this is slow. */
const STARTING_MS = 60_000;
const STUCK_MS = 10_000;
const GUESTS = Array.from({ length: 8 }, (_, index) => `vm-${index}`);
const ONE = ["vm-2"];
const THREE = ["vm-2", "vm-5", "vm-6"];
/** More domains than the agent's limit of blocked calls. */
const SIX = ["vm-0", "vm-2", "vm-3", "vm-4", "vm-5", "vm-6"];

/** Cycles while the same QEMUs were stopped. */
interface Phase {
  readonly stuck: readonly string[];
  readonly fromMs: number;
  readonly cycles: readonly Cycle[];
  /** Workers of the daemon that were busy during the whole phase. */
  readonly heldWorkers: number;
}

const resources = new AsyncDisposableStack();
const taps = new Map<string, string>();
let host: LibvirtHost;
let sink: RecordingSink;
let agent: RunningAgent;
let phases: readonly Phase[];
/** All cycles except the first, which has no rates. */
let cycles: readonly Cycle[];

before(async () => {
  // Without cgroups the CPU times come from the blocked call too.
  host = resources.use(await LibvirtHost.start());
  for (const name of GUESTS) {
    const tap = await host.createTap();
    taps.set(name, tap);
    await host.createGuest(name, { taps: [tap] });
  }
  sink = resources.use(await RecordingSink.start());
  agent = resources.use(
    await RunningAgent.start({ targets: target1(sink), interval: `${INTERVAL_MS}ms`, sockets: [host.socket] }),
  );
  for (let cycle = 0; cycle < STARTING_MS / INTERVAL_MS + 2; cycle++) await agent.run(1);
  const watched = [
    await phase([]),
    await phase(ONE, () => signal(ONE, "SIGSTOP")),
    await phase(THREE, () => signal(THREE, "SIGSTOP")),
    await phase(SIX, () => signal(SIX, "SIGSTOP")),
    await phase([], () => signal(SIX, "SIGCONT")),
  ];
  assert.equal(await agent.stop(), 0);
  cycles = sink.cycles.slice(1);
  phases = watched.map(({ fromMs, toMs, ...rest }) => ({
    ...rest,
    fromMs,
    cycles: cycles.filter(({ timeMs }) => timeMs >= fromMs && timeMs < toMs),
  }));
});

after(() => resources.disposeAsync());

/** Makes a change and waits for some cycles; the first may have begun before the change. */
async function phase(stuck: readonly string[], change: () => Promise<void> = () => Promise.resolve()) {
  await change();
  const fromMs = Date.now() + (stuck.length === 0 ? INTERVAL_MS : 0);
  await agent.run(2);
  const end = agent.cycles.length + (stuck.length === 0 ? 2 : STUCK_MS / INTERVAL_MS + 1);
  let heldWorkers = Number.POSITIVE_INFINITY;
  while (agent.cycles.length < end) {
    heldWorkers = Math.min(heldWorkers, await host.busyWorkers());
    await systemClock.sleep(100);
  }
  assert.match(await host.virsh("list", "--name"), /vm-0/, "virsh answers");
  return { stuck, fromMs, toMs: Date.now(), heldWorkers };
}

async function signal(names: readonly string[], name: NodeJS.Signals): Promise<void> {
  for (const guest of names) process.kill(await host.qemuPid(guest), name);
}

/** Every line of a domain, and the lines that libvirt knows without QEMU. */
function all(name: string): string[] {
  return [...withoutQemu(name), "vm_devices disk vda", "vm_totals"];
}

function withoutQemu(name: string): string[] {
  return ["vm_metrics", "vm_features", `vm_devices nic ${taps.get(name)}`];
}

test("no interval is skipped, for any number of stopped QEMUs", () => {
  assert.equal(cycles.length, ticksSpanned(cycles, INTERVAL_MS));
  for (const { stuck, cycles } of phases) assert.ok(cycles.length >= 2, `${cycles.length} with ${stuck.length} stuck`);
});

test("with up to three stopped, every other domain has all points of every interval", () => {
  const six = phases.findIndex(({ stuck }) => stuck === SIX);
  const end = phases[six]?.cycles[0]?.timeMs ?? 0;
  for (const cycle of cycles.filter(({ timeMs }) => timeMs < end))
    for (const name of GUESTS)
      if (!THREE.includes(name)) assert.deepEqual(linesOf(cycle, name), all(name), `${name} at ${cycle.timeMs}`);
});

test("a domain with a stopped QEMU has libvirt's own values, but no disk lines or totals", () => {
  for (const { stuck, cycles } of phases)
    for (const cycle of cycles)
      for (const name of stuck) assert.deepEqual(linesOf(cycle, name), withoutQemu(name), `${name} at ${cycle.timeMs}`);
});

test("with more than four stopped, every domain has libvirt's own values", () => {
  for (const { stuck, cycles } of phases.filter(({ stuck }) => stuck.length > 4))
    for (const cycle of cycles)
      for (const name of GUESTS)
        assert.deepEqual(linesOf(cycle, name).slice(0, 3), withoutQemu(name), `${name} with ${stuck.length} stuck`);
});

test("a domain is complete one interval after its QEMU continues", () => {
  for (const cycle of phases.at(-1)?.cycles ?? [])
    for (const name of GUESTS) assert.deepEqual(linesOf(cycle, name), all(name), `${name} at ${cycle.timeMs}`);
});

test("a stuck domain occupies one worker, and more than four occupy five", () => {
  assert.deepEqual(
    phases.map(({ heldWorkers }) => heldWorkers),
    [0, 1, 3, 5, 0],
  );
});

test("the log names each stuck domain once when it stops and once when it continues", () => {
  const domainsIn = (text: RegExp): unknown[] =>
    agent.log.flatMap(({ msg, domain }) => (text.test(msg) ? [domain] : []));
  const stopped = domainsIn(/^QEMU does not answer/);
  const since = (name: unknown): number =>
    phases.find(({ stuck }) => stuck.includes(String(name)))?.fromMs ?? Number.POSITIVE_INFINITY;
  for (const { msg, domain, time } of agent.log)
    if (msg.startsWith("QEMU does not answer"))
      assert.ok(Date.parse(String(time)) - since(domain) >= STUCK_MS, `${String(domain)} after 10 s at the earliest`);
  assert.equal(stopped.length, 5);
  assert.deepEqual(stopped.slice(0, 3).sort(), THREE);
  assert.deepEqual(
    stopped.filter((name) => !SIX.includes(String(name))),
    [],
  );
  assert.deepEqual(domainsIn(/^QEMU answers libvirt again/).sort(), stopped.sort());
});

test("counters continue from their last value in every source", () => {
  assert.deepEqual(fallenCounters(sink.points), []);
});
