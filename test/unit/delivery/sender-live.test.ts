import assert from "node:assert/strict";
import { test } from "node:test";
import { taken } from "../../support/memory-target.ts";
import { SenderBench } from "../../support/sender-bench.ts";

const never = new AbortController().signal;
const FLUSH = { intervalMs: 1_000, maxLines: 100, maxBytes: 2 << 20 };

/** Lines that a node writes in a second. */
const RATE = 50;

function down(): { status: number; body: string } {
  return { status: 503, body: "" };
}

/** Seconds of a node's life; returns for each its lines that were not stored two flush intervals later. */
async function live(bench: SenderBench, seconds: number, rate = RATE): Promise<number[]> {
  const late: number[] = [];
  const expected: (readonly string[])[] = [];
  for (let second = 0; second < seconds; second++) {
    expected.push(await bench.append(rate));
    await bench.clock.advance(1_000);
    if (second < 2) continue;
    const stored = new Set(bench.target.stored);
    late.push(expected[second - 2]?.filter((line) => !stored.has(line)).length ?? 0);
  }
  return late;
}

async function outage(bench: SenderBench, seconds: number, rate = RATE): Promise<void> {
  bench.target.answer = down;
  await live(bench, seconds, rate);
  bench.target.answer = taken;
  bench.sender.update({ ...bench.settings });
}

test("after an outage new lines do not wait for the backlog, which goes at its own pace", async () => {
  await using bench = new SenderBench({ flush: FLUSH, maxDrainLinesPerSecond: 100 });
  await outage(bench, 120);
  assert.equal(bench.sender.backlog.lines, 120 * RATE);
  const late = await live(bench, 50);
  // The first goes before anybody knows that the target is there again.
  assert.deepEqual(new Set(late.slice(2)), new Set([0]));
  const backlog = bench.target.stored.length - 50 * RATE;
  assert.ok(backlog >= 4_800 && backlog <= 5_300, `${backlog} lines of the backlog in 50 seconds`);
  await live(bench, 20);
  assert.equal(bench.sender.backlog.lines, 0);
  assert.equal(new Set(bench.target.stored).size, bench.appendedLines);
  assert.equal(bench.target.stored.length, bench.appendedLines);
});

test("without a limit of the settings a backlog goes three times as fast as it came", async () => {
  await using bench = new SenderBench({ flush: { ...FLUSH, maxLines: 1_000 }, maxDrainLinesPerSecond: 0 });
  await outage(bench, 80, 500);
  await live(bench, 20, 500);
  const backlog = bench.target.stored.length - 20 * 500;
  assert.ok(backlog >= 27_000 && backlog <= 33_000, `${backlog} lines of the backlog in 20 seconds`);
});

test("an outage while a backlog drains makes a second one, and new lines wait for neither", async () => {
  await using bench = new SenderBench({ flush: FLUSH, maxDrainLinesPerSecond: 100 });
  await outage(bench, 120);
  await live(bench, 10);
  await outage(bench, 60);
  const late = await live(bench, 30);
  assert.deepEqual(new Set(late.slice(2)), new Set([0]));
  assert.equal(await bench.sender.drain(never), true);
  assert.equal(new Set(bench.target.stored).size, bench.appendedLines);
});

test("however often the target goes away while backlogs drain, every line arrives once", async () => {
  await using bench = new SenderBench({ flush: FLUSH, maxDrainLinesPerSecond: 100 });
  for (let round = 0; round < 8; round++) {
    await outage(bench, 30);
    await live(bench, 5);
  }
  assert.equal(await bench.sender.drain(never), true);
  assert.equal(bench.target.stored.length, bench.appendedLines);
  assert.equal(new Set(bench.target.stored).size, bench.appendedLines);
});

test("a short hiccup makes no backlog of its own: everything stays in order", async () => {
  await using bench = new SenderBench({ flush: FLUSH, maxDrainLinesPerSecond: 100 });
  await outage(bench, 8);
  await bench.clock.advance(0);
  while (bench.sender.backlog.lines > 0) {
    await live(bench, 1);
    assert.equal(bench.sender.intake, "main");
  }
});

test("a drain takes all of it, what is new first", async () => {
  await using bench = new SenderBench({ flush: FLUSH, maxDrainLinesPerSecond: 100 });
  await outage(bench, 120);
  await live(bench, 5);
  // The flush interval has just begun.
  await bench.append(RATE);
  const latest = await bench.append(RATE);
  const before = bench.target.stored.length;
  assert.equal(await bench.sender.drain(never), true);
  assert.deepEqual(bench.target.stored.slice(before, before + RATE), latest);
  assert.equal(new Set(bench.target.stored).size, bench.appendedLines);
});

test("a batch of the backlog that is searched for a bad line does not delay new ones", async () => {
  await using bench = new SenderBench({ flush: FLUSH, maxDrainLinesPerSecond: 10_000 });
  await outage(bench, 60);
  const [bad = ""] = bench.target.requests.at(-1)?.slice(3, 4) ?? [];
  bench.target.answer = async (lines) => {
    await bench.clock.sleep(200);
    return lines.includes(bad) ? { status: 400, body: '{"message":"no"}' } : taken();
  };
  const late = await live(bench, 20);
  assert.deepEqual(new Set(late.slice(2)), new Set([0]));
  assert.equal(bench.sender.state.rejectedLines, 1);
});
