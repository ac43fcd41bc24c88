// What a launcher may write: lines in a cycle, series in an hour, and its share of the spool while a target is away.
import assert from "node:assert/strict";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { pino } from "pino";
import { LAUNCHER_BUDGET } from "../../../src/budget.ts";
import type { Endpoint } from "../../../src/collection/libvirt/endpoint.ts";
import type { SourceCycle } from "../../../src/collection/source.ts";
import type { TypedValue } from "../../../src/libvirt/types.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { NodeLog } from "../../../src/node/node-log.ts";
import { NodeState } from "../../../src/node/node-state.ts";
import { Pipeline } from "../../../src/node/pipeline.ts";
import { Router } from "../../../src/routing/router.ts";
import { SimulatedHost } from "../../../src/simulator/simulated-host.ts";
import { SimulatorServer } from "../../../src/simulator/server.ts";
import { mulberry32 } from "../../../src/simulator/synthetic-domain.ts";
import { DurableSpool } from "../../../src/spool/durable-spool.ts";
import { MemorySpool } from "../../../src/spool/memory-spool.ts";
import type { Spool } from "../../../src/spool/spool.ts";
import { atEnd } from "../../support/at-end.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { MemoryTarget, taken } from "../../support/memory-target.ts";
import { configOf, FAMILIES } from "../../support/router-bench.ts";
import { memoryDirectory, temporaryDirectory } from "../../support/temporary-directory.ts";

const HONEST = 6;
/** Metrics, features, totals, a NIC and two disks. The first sample has no features. */
const HONEST_LINES = 6;
const CAP = 2 << 20;

/** An agent's pipeline over launchers, each a daemon on a socket of its own, and a target that is away at first. */
class Node {
  readonly clock = new FakeClock();
  readonly target = new MemoryTarget();
  readonly #directory: string;
  /** Name of a launcher -> its last cycle. */
  readonly #cycles = new Map<string, SourceCycle>();
  /** Names of launchers with the reasons for which lines were left out since the agent started. */
  readonly rejected = new Set<string>();
  /** Lines of the honest launchers since the start. */
  honestLines = 0;
  #endpoints: Endpoint[] = [];
  #router: Router | undefined;
  #state: NodeState | undefined;
  #stop = new AbortController();
  #running: Promise<unknown> | undefined;

  constructor(directory: string) {
    this.#directory = directory;
    this.target.answer = () => ({ status: 503, body: "" });
  }

  /** Returns a node with honest launchers, whose domains are `honest-N`. */
  static async start(t: TestContext, spool: (clock: FakeClock) => Spool | Promise<Spool>): Promise<Node> {
    const node = new Node(await temporaryDirectory(t));
    for (let index = 0; index < HONEST; index++)
      await node.launch(t, `honest-${index}`, SimulatedHost.of(1, { nics: 1, disks: 2, seed: index }, node.clock));
    await node.startAgent(await spool(node.clock));
    atEnd(t, () => node.stopAgent());
    return node;
  }

  async launch(t: TestContext, name: string, host: SimulatedHost): Promise<void> {
    const socket = path.join(this.#directory, name);
    const server = await SimulatorServer.start(socket, host);
    atEnd(t, () => server[Symbol.asyncDispose]());
    const identify: Endpoint["identify"] = (domain) => ({ name: `${name}.${domain.name}`, namespace: "shop" });
    this.#endpoints.push({ socket, transient: true, budget: LAUNCHER_BUDGET, identify });
  }

  async startAgent(spool: Spool): Promise<void> {
    const { clock, target } = this;
    this.rejected.clear();
    const nodeLog = new NodeLog(pino({ level: "silent" }), clock);
    nodeLog.endpointCycle = (cycle) => {
      const launcher = path.basename(cycle.endpoint);
      this.#cycles.set(launcher, cycle);
      for (const { code, rejection } of cycle.errors) this.rejected.add(`${launcher}: ${rejection ?? code}`);
      for (const { identity, previous } of cycle.samples)
        if (identity.name.startsWith("honest"))
          this.honestLines += previous === undefined ? HONEST_LINES - 1 : HONEST_LINES;
    };
    const state = new NodeState(nodeLog, clock);
    const router = new Router({
      node: "node-1",
      clock,
      observer: nodeLog,
      onMissing: () => undefined,
      protocolOf: () => target.protocol,
      spool,
    });
    const findEndpoints = (): Promise<readonly Endpoint[]> => Promise.resolve(this.#endpoints);
    const pipeline = new Pipeline({ router, state, clock, findEndpoints });
    const config = configOf({ a: FAMILIES });
    // Every cycle reads the XML, so that devices may change in each.
    pipeline.configure({ ...config, deviceCacheTtlMs: 1, buffer: { maxBytes: CAP, maxAgeMs: 86_400_000 } });
    this.#stop = new AbortController();
    [this.#router, this.#state] = [router, state];
    this.#running = pipeline.run(Number.POSITIVE_INFINITY, this.#stop.signal);
    await this.#cycleAfter(0);
  }

  async stopAgent(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.#router?.stop();
  }

  async cycles(count: number): Promise<void> {
    for (let cycle = 0; cycle < count; cycle++) {
      const before = this.#state?.cycles.count ?? 0;
      await this.clock.advance(5_000);
      await this.#cycleAfter(before);
    }
  }

  async #cycleAfter(count: number): Promise<void> {
    while (this.#state?.cycles.count === count) {
      await this.clock.advance(10);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** The target returns and takes everything that is queued. Returns the lines so far of the launchers with this name. */
  async deliver(launcher: string): Promise<string[]> {
    this.target.answer = taken;
    const now = this.clock.now();
    const router = this.#router;
    assert.ok(router !== undefined);
    const drain = { done: false };
    void router.drain(new AbortController().signal).finally(() => {
      drain.done = true;
    });
    while (!drain.done) {
      await this.clock.advance(1_000);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const isOld = (line: string): boolean => Number(line.slice(line.lastIndexOf(" ") + 1, -6)) <= now;
    return this.target.stored.filter((line) => line.includes(`,name=${launcher}`) && isOld(line));
  }

  /** The reasons for which lines of a launcher were left out in the last cycle. */
  rejections(name: string): string[] {
    return this.#cycles.get(name)?.errors.map(({ code, rejection }) => rejection ?? code) ?? [];
  }

  get leftOutLines(): number {
    return this.#router?.quotas.leftOutLines ?? 0;
  }

  get droppedLines(): number {
    return this.#router?.droppedLines ?? 0;
  }
}

/** Returns a daemon whose NICs have random counters in each cycle, which do not compress. */
function noisy(clock: FakeClock, nics: number): SimulatedHost {
  const host = SimulatedHost.of(1, { nics, disks: 0, seed: 1 }, clock);
  const random = mulberry32(1);
  host.adjustStats = (_name, params) => {
    for (const [key, value] of params)
      if (/^net\.\d+\.[rt]x/.test(key) && typeof value === "bigint") params.set(key, randomCounter(random));
  };
  return host;
}

function randomCounter(random: () => number): bigint {
  return BigInt(Math.floor(random() * 2 ** 53)) * 1_024n;
}

/** Returns a daemon whose NICs have other aliases and names each time. */
function inventive(clock: FakeClock, domains: number, nics: number): SimulatedHost {
  const host = SimulatedHost.of(domains, { nics: 0, disks: 0, seed: 1 }, clock);
  let turn = 0;
  const nic = (index: number): string => `n${turn.toString(36)}x${index.toString(36)}`;
  host.adjustStats = (_name, params: Map<string, TypedValue>) => {
    turn++;
    params.set("net.count", nics);
    for (let index = 0; index < nics; index++)
      params.set(`net.${index}.name`, nic(index)).set(`net.${index}.rx.bytes`, BigInt(index));
  };
  host.adjustXml = (_name, xml) => {
    const all = Array.from(
      { length: nics },
      (_, index) =>
        `<interface type='ethernet'><target dev='${nic(index)}'/><alias name='ua-${nic(index)}'/></interface>`,
    );
    return xml.replace("</devices>", `${all.join("")}</devices>`);
  };
  return host;
}

function seriesOf(lines: readonly string[]): Set<string> {
  return new Set(lines.map((line) => line.slice(0, line.search(/(?<!\\) /))));
}

function memorySpool(clock: FakeClock): Spool {
  return new MemorySpool({ maxBytes: CAP, maxAgeMs: 86_400_000 }, clock);
}

test("launchers that fill a spool in memory push out no line of the others", async (t) => {
  const node = await Node.start(t, memorySpool);
  for (const name of ["noisy-1", "noisy-2"]) await node.launch(t, name, noisy(node.clock, 350));
  await node.cycles(60);
  assert.deepEqual(node.rejections("noisy-1"), ["SpoolShare"]);
  assert.deepEqual(node.rejections("honest-0"), []);
  assert.equal(node.droppedLines, 0);
  assert.ok(node.leftOutLines > 10_000);
  const { honestLines } = node;
  assert.equal((await node.deliver("honest")).length, honestLines);
  await node.cycles(3);
  assert.deepEqual(node.rejections("noisy-1"), [], "the spool is empty, so it may write again");
});

test("launchers that fill a spool on disk push out no line of the others, also after a restart", async (t) => {
  const directory = await memoryDirectory(t);
  const open = (fake: FakeClock): Promise<DurableSpool> => {
    // The disk takes real time, so its time limits pass in real time too.
    const { sleep } = systemClock;
    const clock = { now: () => fake.now(), monotonic: () => fake.monotonic(), sleep };
    return DurableSpool.open({ directory, clock, minFreeShare: 0 });
  };
  const node = await Node.start(t, open);
  for (const name of ["noisy-1", "noisy-2"]) await node.launch(t, name, noisy(node.clock, 350));
  await node.cycles(45);
  assert.deepEqual([...node.rejected].sort(), ["noisy-1: SpoolShare", "noisy-2: SpoolShare"]);
  await node.stopAgent();
  await node.startAgent(await open(node.clock));
  await node.cycles(20);
  assert.deepEqual([...node.rejected].sort(), ["noisy-1: SpoolShare", "noisy-2: SpoolShare"]);
  assert.equal(node.droppedLines, 0);
  const { honestLines } = node;
  assert.equal((await node.deliver("honest")).length, honestLines);
});

test("eight launchers at their limit are sampled in turns and named, and the others lose no line", async (t) => {
  const node = await Node.start(t, memorySpool);
  const names = [1, 2, 3, 4, 5, 6, 7, 8].map((index) => `noisy-${index}`);
  for (const name of names) await node.launch(t, name, noisy(node.clock, 380));
  await node.cycles(8);
  assert.deepEqual(
    [...node.rejected].sort(),
    names.map((name) => `${name}: SharedParameters`),
  );
  const { honestLines } = node;
  const lines = await node.deliver("");
  assert.equal(lines.filter((line) => line.includes(",name=honest")).length, honestLines);
  const samples = lines.filter((line) => line.startsWith("vm_metrics,") && line.includes(",name=noisy")).length;
  assert.ok(samples >= 5 * names.length && samples < 8 * names.length, String(samples));
});

test("a launcher that makes new series all the time makes no more than its budget, and keeps the known ones", async (t) => {
  const node = await Node.start(t, memorySpool);
  await node.launch(t, "inventive", inventive(node.clock, 1, 380));
  await node.cycles(12);
  assert.deepEqual(node.rejections("inventive"), ["NewSeries"]);
  assert.deepEqual(node.rejections("honest-0"), []);
  const lines = await node.deliver("inventive");
  assert.equal(seriesOf(lines).size, LAUNCHER_BUDGET.newSeries);
  assert.equal(lines.filter((line) => line.startsWith("vm_metrics,")).length, 12);
  await node.clock.advance(3_600_000);
  await node.cycles(3);
  assert.ok(seriesOf(await node.deliver("inventive")).size > LAUNCHER_BUDGET.newSeries, "the next hour allows more");
});

test("four domains with 4,000 interfaces of random names cost the others no line", async (t) => {
  const node = await Node.start(t, memorySpool);
  await node.launch(t, "inventive", inventive(node.clock, 4, 4_000));
  await node.cycles(3);
  assert.notDeepEqual(node.rejections("inventive"), []);
  const { honestLines } = node;
  const lines = await node.deliver("");
  const honest = lines.filter((line) => line.includes(",name=honest"));
  assert.equal(honest.length, honestLines);
  const others = lines.filter((line) => !line.includes(",name=honest"));
  assert.ok(others.length <= 3 * LAUNCHER_BUDGET.lines, `${others.length} lines`);
  assert.ok(seriesOf(others).size <= LAUNCHER_BUDGET.newSeries);
});
