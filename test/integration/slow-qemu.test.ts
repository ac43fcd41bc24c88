import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { systemClock } from "../../src/lib/clock.ts";
import { RunningAgent, target1 } from "./support/agent.ts";
import { diskXml } from "./support/guest-xml.ts";
import { LibvirtHost } from "./support/libvirt-host.ts";
import { fallenCounters, linesOf, RecordingSink, ticksSpanned, type Cycle } from "./support/recording-sink.ts";

const PLAIN = ["plain-0", "plain-1", "plain-2"];
/** Images in the backing chain of each of its disks -> guest. */
const CHAINS = new Map([
  [60, "chain-60"],
  [95, "chain-95"],
]);
/** With so many disks on the longer chain QEMU needs a fifth of a second for an answer, and much more on a busy machine. */
const CHAIN_DISKS = 4;
/** A QEMU that is stopped for most of the time. */
const HALTING = "plain-2";
const STOPPED_MS = 1_300;
const RUNNING_MS = 100;
/** For this long the agent takes what a domain does for its start. */
const STARTING_MS = 60_000;

const resources = new AsyncDisposableStack();
let host: LibvirtHost;
let sink: RecordingSink;
let agent: RunningAgent;
const taps = new Map<string, string>();
const phases = new Map<string, readonly Cycle[]>();

before(async () => {
  host = resources.use(await LibvirtHost.start());
  for (const name of PLAIN) await createGuest(name);
  for (const [images, name] of CHAINS) {
    const base = await host.createChain(`${name}-base`, images - 1);
    const tops: string[] = [];
    while (tops.length < CHAIN_DISKS) tops.push(await host.createChain(`${name}-${tops.length}`, 1, base));
    const disks = tops.map((file, index) => diskXml(file, `vd${String.fromCharCode(97 + index)}`));
    await createGuest(name, disks.join("").replaceAll("type='raw'", "type='qcow2'"));
  }
  sink = resources.use(await RecordingSink.start());
  agent = resources.use(await RunningAgent.start({ targets: target1(sink), interval: "5s", sockets: [host.socket] }));
  // Before that a signal would end it.
  await agent.run(1);
  await phase("5s", Math.ceil((STARTING_MS + 15_000) / 5_000));
  await phase("1s", 15);
  const halted = haltAgainAndAgain(await host.qemuPid(HALTING));
  try {
    await phase("2s", 20);
  } finally {
    await halted.end();
  }
  assert.equal(await agent.stop(), 0);
});

after(() => resources.disposeAsync());

async function createGuest(name: string, devices?: string): Promise<void> {
  const tap = await host.createTap();
  taps.set(name, tap);
  await host.createGuest(name, { taps: [tap], ...(devices !== undefined && { disks: [], devices }) });
}

/** Lets cycles pass at an interval; the first, under way or at the change, is not looked at, nor the very first. */
async function phase(interval: string, cycles: number): Promise<void> {
  // A busy machine needs the time that there is.
  const spec = interval === "1s" ? "    timeout: 950ms" : "";
  await agent.writeConfig({ targets: target1(sink), interval, spec });
  agent.signal("SIGHUP");
  await agent.run(2);
  const fromMs = Date.now();
  for (let cycle = 0; cycle < cycles; cycle++) await agent.run(1);
  const toMs = Date.now();
  // The lines of the last cycle are on their way.
  await agent.run(1);
  phases.set(
    interval,
    sink.cycles.filter(({ timeMs }) => timeMs >= fromMs && timeMs < toMs),
  );
}

/** Stops a process for most of the time, until it is told to end; then the process goes on. */
function haltAgainAndAgain(pid: number): { readonly end: () => Promise<void> } {
  const ended = new AbortController();
  const loop = async (): Promise<void> => {
    try {
      while (!ended.signal.aborted) {
        process.kill(pid, "SIGSTOP");
        await systemClock.sleep(STOPPED_MS, ended.signal);
        process.kill(pid, "SIGCONT");
        await systemClock.sleep(RUNNING_MS, ended.signal);
      }
    } finally {
      process.kill(pid, "SIGCONT");
    }
  };
  const running = loop();
  return {
    end: () => {
      ended.abort();
      return running;
    },
  };
}

function all(name: string): string[] {
  const disks = PLAIN.includes(name) ? 1 : CHAIN_DISKS;
  const devices = Array.from({ length: disks }, (_, index) => `vm_devices disk vd${String.fromCharCode(97 + index)}`);
  return ["vm_metrics", "vm_features", `vm_devices nic ${taps.get(name)}`, ...devices, "vm_totals"];
}

/** Every interval has a cycle, and these domains have all their lines in each. */
function assertWhole(cycles: readonly Cycle[], intervalMs: number, names: Iterable<string>): void {
  assert.ok(cycles.length >= 12, `${cycles.length} cycles`);
  assert.equal(cycles.length, ticksSpanned(cycles, intervalMs));
  for (const cycle of cycles)
    for (const name of names) assert.deepEqual(linesOf(cycle, name), all(name), `${name} at ${cycle.timeMs}`);
}

/** In how many of 100 cycles a domain has all its lines; in the others it keeps what libvirt knows without QEMU. */
function percentWhole(cycles: readonly Cycle[], name: string): number {
  const whole = cycles.filter((cycle) => {
    const lines = linesOf(cycle, name);
    assert.deepEqual(lines.slice(0, 3), all(name).slice(0, 3), `${name} at ${cycle.timeMs}`);
    return lines.length === all(name).length;
  });
  return (100 * whole.length) / cycles.length;
}

test("at 5 s, guests on chains of 60 and 95 images have all their disks and totals in every cycle, and so have their neighbours", () => {
  assertWhole(phases.get("5s") ?? [], 5_000, taps.keys());
});

test("at 1 s, neighbours lose nothing, and the guests on chains no cycle in which QEMU answers in time", () => {
  const cycles = phases.get("1s") ?? [];
  assertWhole(cycles, 1_000, PLAIN);
  // On a busy machine QEMU needs longer than the cycle now and then.
  for (const name of CHAINS.values()) {
    const percent = percentWhole(cycles, name);
    assert.ok(percent >= 60, `${name} is whole in ${percent} % of the cycles`);
  }
});

test("a QEMU that is stopped for 1.3 s of every 1.4 s has its disks and totals in most cycles, its neighbours in all", () => {
  const cycles = phases.get("2s") ?? [];
  assertWhole(
    cycles,
    2_000,
    PLAIN.filter((name) => name !== HALTING),
  );
  for (const name of [HALTING, ...CHAINS.values()]) {
    const percent = percentWhole(cycles, name);
    assert.ok(percent >= 50, `${name} is whole in ${percent} % of the cycles`);
  }
});

test("none of them is called stuck, and the log has no warning", () => {
  assert.deepEqual(
    agent.log.filter(({ level, msg }) => ["warn", "error"].includes(level) && !msg.startsWith("values that libvirt")),
    [],
  );
});

test("counters go on from where they stood, whichever call brought them", () => {
  assert.deepEqual(fallenCounters(sink.points), []);
});
