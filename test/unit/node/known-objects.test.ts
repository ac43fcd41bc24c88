import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { pino } from "pino";
import { KnownObjectsKeeper } from "../../../src/node/known-objects.ts";
import type { KnownObjects } from "../../../src/node/known-objects-file.ts";
import { until } from "../../support/delivery.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { HangingReads } from "../../support/hanging-reads.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { vmi } from "../../support/vmis.ts";

const LIST = "VMIs with kubevirt.io/nodeName";

function known(...names: readonly string[]): KnownObjects {
  const vmis = names.map((name) => [`shop/${name}`, vmi({ name })] as const);
  return { config: undefined, vmis: new Map([[LIST, new Map(vmis)]]) };
}

async function bench(t: TestContext) {
  const clock = new FakeClock();
  const entries: { level: number; msg: string }[] = [];
  const log = pino({}, { write: (line) => void entries.push(JSON.parse(line) as (typeof entries)[number]) });
  const file = path.join(await temporaryDirectory(t), "known-objects.jsonl");
  const state = { current: known("web"), reads: 0 };
  const current = (): KnownObjects => {
    state.reads++;
    return state.current;
  };
  const keeper = new KnownObjectsKeeper({ file, nodeName: "node-1", current, log, clock });
  const ended = new AbortController();
  /** Advances the clock until the disk has the result. A write that is due while another is under way is left out. */
  const pass = async (ms: number, done: () => Promise<boolean>): Promise<void> => {
    await clock.advance(ms);
    while (!(await done())) await clock.advance(10_000);
  };
  return { clock, entries, file, state, keeper, ended, pass };
}

test("changes are saved at most every ten seconds, and what is saved is loaded", async (t) => {
  const { file, state, keeper, ended, pass, clock } = await bench(t);
  const running = keeper.run(ended.signal);
  await clock.advance(60_000);
  assert.equal(state.reads, 0, "nothing has changed");
  keeper.changed();
  const text = (): Promise<string> => readFile(file, "utf8").catch(() => "");
  await pass(10_000, async () => (await text()).includes('"web"'));
  state.current = known("web", "db");
  for (let change = 0; change < 100; change++) keeper.changed();
  await clock.advance(9_000);
  assert.equal(state.reads, 1);
  await pass(1_000, async () => (await text()).includes('"db"'));
  assert.equal(state.reads, 2);
  ended.abort();
  await running;
  assert.deepEqual(await keeper.load(), state.current);
});

test("a change right before the end is saved", async (t) => {
  const { keeper, ended, state } = await bench(t);
  const running = keeper.run(ended.signal);
  keeper.changed();
  ended.abort();
  await running;
  assert.deepEqual(await keeper.load(), state.current);
});

test("a change during the last write is saved", async (t) => {
  const { file, ended, clock } = await bench(t);
  let reads = 0;
  const current = (): KnownObjects => {
    if (reads++ === 0) {
      keeper.changed();
      ended.abort();
    }
    return known(`vm-${reads}`);
  };
  const keeper = new KnownObjectsKeeper({ file, nodeName: "node-1", current, log: pino({ level: "silent" }), clock });
  keeper.changed();
  const running = keeper.run(ended.signal);
  await clock.advance(10_000);
  await running;
  assert.deepEqual(await keeper.load(), known("vm-2"));
});

test("without a file nothing is known, and nothing is logged", async (t) => {
  const { keeper, entries } = await bench(t);
  assert.equal(await keeper.load(), undefined);
  assert.deepEqual(entries, []);
});

test("a file that cannot be used is one warning, and is replaced after the next change", async (t) => {
  const { file, keeper, entries, ended, state } = await bench(t);
  await writeFile(file, '{"version":7,"node":"node-1"}\n');
  assert.equal(await keeper.load(), undefined);
  const [warning, ...others] = entries;
  assert.match(warning?.msg ?? "", /cannot be read, so all wait for the API server: it is of another version$/);
  assert.deepEqual([warning?.level, others], [40, []]);
  keeper.changed();
  const running = keeper.run(ended.signal);
  ended.abort();
  await running;
  assert.deepEqual(await keeper.load(), state.current);
});

test("a start does not wait for a disk that hangs, and a new agent has its file later", async (t) => {
  const { keeper, entries, ended, clock, state } = await bench(t);
  keeper.changed();
  const running = keeper.run(ended.signal);
  ended.abort();
  await running;
  {
    using reads = await HangingReads.begin();
    const loaded = keeper.load();
    await until("the disk hangs", () => reads.waiting > 0);
    await clock.advance(2_000);
    assert.equal(await loaded, undefined);
  }
  assert.match(entries[0]?.msg ?? "", /wait for the API server: no answer from the disk within 2000 ms$/);
  assert.deepEqual(await keeper.load(), state.current);
});

test("a file that cannot be written is one warning, and is written when it can be", async (t) => {
  const { file, keeper, entries, ended, state, pass, clock } = await bench(t);
  await mkdir(`${file}.tmp`);
  keeper.changed();
  const running = keeper.run(ended.signal);
  await pass(10_000, () => Promise.resolve(entries.length === 1));
  assert.match(entries[0]?.msg ?? "", /^the known VMs cannot be saved, so new ones wait after a restart: EISDIR/);
  await pass(10_000, () => Promise.resolve(state.reads >= 2));
  await rm(`${file}.tmp`, { recursive: true });
  const saved = async (): Promise<boolean> => (await keeper.load()) !== undefined;
  for (let tries = 0; tries < 10 && !(await saved()); tries++) await clock.advance(10_000);
  ended.abort();
  await running;
  assert.ok(await saved());
  assert.equal(entries.length, 1);
});
