// Targets that want to do harm, beside one that works: over real HTTP on loopback.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { EffectiveTarget } from "../../../src/config/resolve.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import { Router } from "../../../src/routing/router.ts";
import { atEnd } from "../../support/at-end.ts";
import { ObserverLog, until } from "../../support/delivery.ts";
import { FakeInflux } from "../../support/fake-influx.ts";
import { HostileTarget, MISBEHAVIOURS, type Misbehaviour } from "../../support/hostile-targets.ts";
import { configOf, FAMILIES, named } from "../../support/router-bench.ts";

const KINDS = Object.keys(MISBEHAVIOURS) as readonly Misbehaviour[];
const CYCLES = 5;
const VMS = 20;
/** Long enough that no test ends because of it: what ends a request is a bound of the agent. */
const HOUR_MS = 3_600_000;
/** What the kernel may hold of a connection that the agent has closed, and what the agent may read. */
const MAX_SENT_BYTES = 16 << 20;

/** A router with senders to a target that works and to targets of these kinds. */
class Bench {
  readonly good: FakeInflux;
  readonly bad: readonly HostileTarget[];
  readonly log = new ObserverLog();
  readonly router = new Router({ node: "node-1", clock: systemClock, observer: this.log, onMissing: () => undefined });
  #cycles = 0;
  #lines = 0;

  private constructor(good: FakeInflux, bad: readonly HostileTarget[]) {
    this.good = good;
    this.bad = bad;
  }

  static async start(t: TestContext, kinds: readonly Misbehaviour[]): Promise<Bench> {
    const good = await FakeInflux.start({ version: "v2" });
    atEnd(t, () => good[Symbol.asyncDispose]());
    const bad = await Promise.all(kinds.map((kind) => HostileTarget.start(kind)));
    for (const target of bad) atEnd(t, () => target[Symbol.asyncDispose]());
    const bench = new Bench(good, bad);
    atEnd(t, () => bench.router.stop());
    const names = ["good", ...kinds.map((_, index) => `bad-${index}`)];
    const config = configOf(Object.fromEntries(names.map((name) => [name, FAMILIES])));
    const targets = config.targets.map((target, index): EffectiveTarget => {
      const kind = kinds[index - 1];
      const url = kind === undefined ? good.url : `http://127.0.0.1:${bad[index - 1]?.port ?? 0}`;
      const common = { ...target, url, timeoutMs: HOUR_MS };
      return kind === "does not speak TLS"
        ? { ...common, url: url.replace("http:", "https:"), tls: { mode: "Verify" } }
        : common;
    });
    await bench.router.apply({ ...config, targets });
    return bench;
  }

  /** Collects and spools one cycle. Resolves when the target that works has stored each line of it. */
  async cycle(): Promise<void> {
    const timestampMs = 1_700_000_000_000 + 5_000 * this.#cycles++;
    for (let vm = 0; vm < VMS; vm++) this.router.route(named(`vm-${vm}`, { timestampMs }));
    this.#lines += await this.router.flush();
    await until("the target that works has the lines of the cycle", () => this.stored === this.#lines);
  }

  get stored(): number {
    return new Set(this.good.stored).size;
  }

  /** Removes all targets but the one that works. */
  async removeBad(): Promise<void> {
    const config = configOf({ good: FAMILIES });
    await this.router.apply({
      ...config,
      targets: config.targets.map((target) => ({ ...target, url: this.good.url })),
    });
  }
}

/** Asserts what the targets may have cost, after they were removed. */
async function assertCheap({ bad, log }: Bench): Promise<void> {
  await until("the connections are closed", () => bad.every(({ agentClosed }) => agentClosed));
  for (const { most, requests, mostSentBytes } of bad) {
    assert.ok(most <= 2, `${most} connections at the same time`);
    assert.ok(requests <= 600, `${requests} requests`);
    assert.ok(mostSentBytes <= MAX_SENT_BYTES, `${mostSentBytes} bytes on one connection`);
  }
  for (const event of log.events) assert.ok(event.length < 700, `${event.length} characters: ${event}`);
}

for (const kind of KINDS)
  test(`a good target gets each line beside five targets of which each ${kind}`, async (t) => {
    const bench = await Bench.start(t, [kind, kind, kind, kind, kind]);
    for (let cycle = 0; cycle < CYCLES; cycle++) await bench.cycle();
    await bench.removeBad();
    await assertCheap(bench);
  });

for (let first = 0; first < KINDS.length; first += 7)
  test(`a good target gets each line beside seven kinds of bad targets, from number ${first}`, async (t) => {
    const bench = await Bench.start(t, [...KINDS, ...KINDS].slice(first, first + 7));
    for (let cycle = 0; cycle < CYCLES; cycle++) await bench.cycle();
    // The deadline of a request is an hour: neither the removal nor the end may wait for the servers.
    await bench.removeBad();
    await bench.cycle();
    await assertCheap(bench);
  });

test("bad targets do not delay the end of the process", async (t) => {
  const bench = await Bench.start(t, KINDS);
  await bench.cycle();
  await bench.router.drain(AbortSignal.timeout(10));
  await bench.router.stop();
  await assertCheap(bench);
});
