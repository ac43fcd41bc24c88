import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { Lanes } from "../../src/delivery/lanes.ts";
import { Sender } from "../../src/delivery/sender.ts";
import type { EffectiveTarget } from "../../src/config/resolve.ts";
import { systemClock, type Clock } from "../../src/lib/clock.ts";
import type { DurableSpool } from "../../src/spool/durable-spool.ts";
import { batchOf, goodLine, ObserverLog, targetSettings, until } from "../support/delivery.ts";
import { MemoryTarget, taken } from "../support/memory-target.ts";
import { SpoolBench } from "../support/spool-bench.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const never = new AbortController().signal;
const FLUSH = { intervalMs: 1, maxLines: 50, maxBytes: 1 << 20 };
const SLOWLY = targetSettings({ flush: FLUSH, maxDrainLinesPerSecond: 100 });
const AT_ONCE = targetSettings({ flush: FLUSH });

/** The real clock with another date. */
class LaterClock implements Clock {
  offsetMs = 0;

  now(): number {
    return systemClock.now() + this.offsetMs;
  }

  monotonic(): number {
    return systemClock.monotonic();
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return systemClock.sleep(ms, signal);
  }
}

/** Spool and sender of one agent process. */
class Agent implements AsyncDisposable {
  readonly target = new MemoryTarget();
  readonly clock: LaterClock;
  readonly sender: Sender;
  readonly #bench: SpoolBench;
  #first: number;

  private constructor(bench: SpoolBench, clock: LaterClock, settings: EffectiveTarget, first: number) {
    this.#bench = bench;
    this.clock = clock;
    this.#first = first;
    const options = { clock, observer: new ObserverLog(), protocolOf: () => this.target.protocol };
    this.sender = new Sender(settings, new Lanes(settings.name, this.spool), options);
  }

  static async start(directory: string, settings: EffectiveTarget, first = 0): Promise<Agent> {
    const clock = new LaterClock();
    return new Agent(await SpoolBench.open(directory, { clock }), clock, settings, first);
  }

  get spool(): DurableSpool {
    return this.#bench.spool;
  }

  async append(frames: number): Promise<void> {
    for (let count = 0; count < frames; count++) {
      await this.spool.append(batchOf(10, this.#first), [this.sender.appendCursor]);
      this.#first += 10;
    }
  }

  /** Queues 600 lines in an outage, then delivers some of them and 30 new lines. */
  async drainInPart(): Promise<void> {
    this.target.answer = () => ({ status: 503, body: "" });
    await this.append(60);
    this.clock.offsetMs = 60_000;
    this.target.answer = taken;
    this.sender.update({ ...SLOWLY });
    await until("new lines have a lane of their own", () => this.sender.appendCursor !== "main");
    const old = this.target.stored.length;
    await this.append(3);
    await until("they are delivered", () => this.target.stored.length >= old + 30);
    assert.ok(this.sender.backlog.lines > 300, `${this.sender.backlog.lines} lines queued`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.sender.stop();
    await this.#bench[Symbol.asyncDispose]();
  }
}

test("an agent that ends during a drain delivers no line twice, and the next continues", async (t) => {
  const directory = await temporaryDirectory(t);
  const stored: string[] = [];
  {
    await using agent = await Agent.start(directory, SLOWLY);
    await agent.drainInPart();
    // Some of these are queued behind the backlog, some in the lane before it.
    agent.target.answer = () => ({ status: 503, body: "" });
    await agent.append(3);
    await agent.sender.stop();
    stored.push(...agent.target.stored);
  }
  {
    await using agent = await Agent.start(directory, AT_ONCE, 660);
    await agent.append(1);
    assert.equal(await agent.sender.drain(never), true);
    stored.push(...agent.target.stored);
    assert.equal(agent.spool.stats.droppedLines, 0);
  }
  assert.equal(stored.length, 670);
  assert.equal(new Set(stored).size, 670);
});

test("an agent that is killed while a backlog drains loses no line", async (t) => {
  const directory = await temporaryDirectory(t);
  const copy = path.join(await temporaryDirectory(t), "copy");
  await using agent = await Agent.start(directory, SLOWLY);
  await agent.drainInPart();
  // The files that the next process finds if this one is killed now.
  await cp(directory, copy, { recursive: true, filter: (file) => path.basename(file) !== "lock" });
  const stored = [...agent.target.stored];
  await using next = await Agent.start(copy, AT_ONCE, 630);
  assert.equal(await next.sender.drain(never), true);
  assert.equal(new Set([...stored, ...next.target.stored]).size, 630);
});

test("an agent that is killed loses no new line that was sent ahead of the backlog", async (t) => {
  const directory = await temporaryDirectory(t);
  const copy = path.join(await temporaryDirectory(t), "copy");
  await using agent = await Agent.start(directory, SLOWLY);
  agent.target.answer = () => ({ status: 503, body: "" });
  await agent.append(57);
  agent.clock.offsetMs = 60_000;
  await agent.append(3);
  agent.target.answer = taken;
  agent.sender.update({ ...SLOWLY });
  const latest = goodLine(599);
  await until("new lines are sent ahead of the backlog", () => agent.target.stored.includes(latest));
  assert.ok(agent.sender.backlog.lines > 300, `${agent.sender.backlog.lines} lines queued`);
  await cp(directory, copy, { recursive: true, filter: (file) => path.basename(file) !== "lock" });
  const stored = [...agent.target.stored];
  await using next = await Agent.start(copy, AT_ONCE, 600);
  assert.equal(await next.sender.drain(never), true);
  assert.equal(new Set([...stored, ...next.target.stored]).size, 600);
});
