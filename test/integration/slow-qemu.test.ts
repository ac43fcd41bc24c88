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
/** With this number of disks on the longer chain QEMU takes a fifth of a second to answer, and longer on a busy machine. */
const CHAIN_DISKS = 4;
/** The guest whose QEMU is stopped for most of the time. */
const HALTING = "plain-2";
const STOPPED_MS = 1_300;
const RUNNING_MS = 100;
/** The agent treats a domain as starting for this time. */
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
  // Before its first cycle a signal would end the agent.
  await agent.run(1);
  await phase("5s", Math.ceil((STARTING_MS + 15_000) / 5_000));
  await phase("1s", 15);
  const halted = haltRepeatedly(await host.qemuPid(HALTING));
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

/** Runs cycles at an interval and records them, without the cycle of the change and the one before it. */
async function phase(interval: string, cycles: number): Promise<void> {
  // A busy machine needs nearly the whole interval.
  const spec = interval === "1s" ? "    timeout: 950ms" : "";
  await agent.writeConfig({ targets: target1(sink), interval, spec });
  agent.signal("SIGHUP");
  await agent.run(2);
  const fromMs = Date.now();
  for (let cycle = 0; cycle < cycles; cycle++) await agent.run(1);
  const toMs = Date.now();
  // Another cycle, so that the lines of the last recorded one have arrived.
  await agent.run(1);
  phases.set(
    interval,
    sink.cycles.filter(({ timeMs }) => timeMs >= fromMs && timeMs < toMs),
  );
}

/** Stops a process for most of the time; `end` makes it run again. */
function haltRepeatedly(pid: number): { readonly end: () => Promise<void> } {
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

function expectedLines(name: string): string[] {
  const disks = PLAIN.includes(name) ? 1 : CHAIN_DISKS;
  const devices = Array.from({ length: disks }, (_, index) => `vm_devices disk vd${String.fromCharCode(97 + index)}`);
  return ["vm_metrics", "vm_features", `vm_devices nic ${taps.get(name)}`, ...devices, "vm_totals"];
}

/** Asserts that every interval has a cycle with all lines of these domains. */
function assertComplete(cycles: readonly Cycle[], intervalMs: number, names: Iterable<string>): void {
  assert.ok(cycles.length >= 12, `${cycles.length} cycles`);
  assert.equal(cycles.length, ticksSpanned(cycles, intervalMs));
  for (const cycle of cycles)
    for (const name of names) assert.deepEqual(linesOf(cycle, name), expectedLines(name), `${name} at ${cycle.timeMs}`);
}

/** Returns the share of cycles, in percent, with all lines of a domain. Asserts that the others have libvirt's own values. */
function percentComplete(cycles: readonly Cycle[], name: string): number {
  const complete = cycles.filter((cycle) => {
    const lines = linesOf(cycle, name);
    assert.deepEqual(lines.slice(0, 3), expectedLines(name).slice(0, 3), `${name} at ${cycle.timeMs}`);
    return lines.length === expectedLines(name).length;
  });
  return (100 * complete.length) / cycles.length;
}

test("at 5 s every cycle is complete, also for guests on chains of 60 and 95 images", () => {
  assertComplete(phases.get("5s") ?? [], 5_000, taps.keys());
});

test("at 1 s other guests are complete, and guests on chains whenever QEMU answers in time", () => {
  const cycles = phases.get("1s") ?? [];
  assertComplete(cycles, 1_000, PLAIN);
  // On a busy machine QEMU sometimes needs longer than the cycle.
  for (const name of CHAINS.values()) {
    const percent = percentComplete(cycles, name);
    assert.ok(percent >= 60, `${name} is complete in ${percent} % of the cycles`);
  }
});

test("a QEMU that is stopped for 1.3 s of every 1.4 s is complete in most cycles, the others in all", () => {
  const cycles = phases.get("2s") ?? [];
  assertComplete(
    cycles,
    2_000,
    PLAIN.filter((name) => name !== HALTING),
  );
  for (const name of [HALTING, ...CHAINS.values()]) {
    const percent = percentComplete(cycles, name);
    assert.ok(percent >= 50, `${name} is complete in ${percent} % of the cycles`);
  }
});

test("slow domains are not reported as stuck, and the log has no warning", () => {
  assert.deepEqual(
    agent.log.filter(({ level, msg }) => ["warn", "error"].includes(level) && !msg.startsWith("values missing")),
    [],
  );
});

test("counters continue from their last value in every source", () => {
  assert.deepEqual(fallenCounters(sink.points), []);
});
