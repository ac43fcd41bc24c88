import assert from "node:assert/strict";
import { test } from "node:test";
import { batchOf } from "../../support/delivery.ts";
import { taken } from "../../support/memory-target.ts";
import { SenderBench } from "../../support/sender-bench.ts";

const never = new AbortController().signal;
const FLUSH = { intervalMs: 1_000, maxLines: 100, maxBytes: 2 << 20 };

/** Lines that a node writes in a second. */
const RATE = 50;
/** Number of lines that are too new for a backlog. */
const NEW = 10 * RATE;

function down(): { status: number; body: string } {
  return { status: 503, body: "" };
}

/** Runs a node for some seconds. Returns, for each second, its lines that are not stored two flush intervals later. */
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

/** Appends lines while the target is down. Returns the lines of the last seconds. */
async function outage(bench: SenderBench, seconds: number, rate = RATE): Promise<readonly string[]> {
  bench.target.answer = down;
  await live(bench, seconds - 4, rate);
  const latest = [];
  for (let second = 0; second < 4; second++) {
    latest.push(...(await bench.append(rate)));
    await bench.clock.advance(1_000);
  }
  bench.target.answer = taken;
  bench.sender.update({ ...bench.settings });
  return latest;
}

/** Returns the number of these lines that the target has not stored. */
function missing(bench: SenderBench, lines: readonly string[]): number {
  const stored = new Set(bench.target.stored);
  return lines.filter((line) => !stored.has(line)).length;
}

test("after an outage new lines do not wait for the backlog, which has its own pace", async () => {
  await using bench = new SenderBench({ flush: FLUSH, maxDrainLinesPerSecond: 100 });
  await outage(bench, 120);
  assert.equal(bench.sender.backlog.lines, 120 * RATE);
  assert.deepEqual(new Set(await live(bench, 50)), new Set([0]));
  const backlog = bench.target.stored.length - 50 * RATE - NEW;
  assert.ok(backlog >= 4_800 && backlog <= 5_300, `${backlog} lines of the backlog in 50 seconds`);
  await live(bench, 20);
  assert.equal(bench.sender.backlog.lines, 0);
  assert.equal(new Set(bench.target.stored).size, bench.appendedLines);
  assert.equal(bench.target.stored.length, bench.appendedLines);
});

test("without a configured limit a backlog is sent three times as fast as it was written", async () => {
  await using bench = new SenderBench({ flush: { ...FLUSH, maxLines: 1_000 }, maxDrainLinesPerSecond: 0 });
  await outage(bench, 80, 500);
  await live(bench, 20, 500);
  const backlog = bench.target.stored.length - 20 * 500 - NEW * 10;
  assert.ok(backlog >= 27_000 && backlog <= 33_000, `${backlog} lines of the backlog in 20 seconds`);
});

test("an outage while a backlog drains makes a second backlog, and new lines wait for neither", async () => {
  await using bench = new SenderBench({ flush: FLUSH, maxDrainLinesPerSecond: 100 });
  await outage(bench, 120);
  await live(bench, 10);
  await outage(bench, 60);
  assert.deepEqual(new Set(await live(bench, 30)), new Set([0]));
  assert.equal(await bench.sender.drain(never), true);
  assert.equal(new Set(bench.target.stored).size, bench.appendedLines);
});

test("each line is stored once, however often the target fails while backlogs drain", async () => {
  await using bench = new SenderBench({ flush: FLUSH, maxDrainLinesPerSecond: 100 });
  for (let round = 0; round < 8; round++) {
    await outage(bench, 30);
    await live(bench, 5);
  }
  assert.equal(await bench.sender.drain(never), true);
  assert.equal(bench.target.stored.length, bench.appendedLines);
  assert.equal(new Set(bench.target.stored).size, bench.appendedLines);
});

test("lines written just before the target recovers do not wait for the backlog", async () => {
  await using bench = new SenderBench({ flush: FLUSH, maxDrainLinesPerSecond: 100 });
  const latest = await outage(bench, 120);
  await bench.clock.advance(1_000);
  assert.equal(missing(bench, latest), 0);
  assert.ok(bench.sender.backlog.lines > 100 * RATE, `${bench.sender.backlog.lines} lines queued`);
});

test("lines written just before a slow target recovers do not wait for the backlog", async () => {
  await using bench = new SenderBench({ flush: FLUSH, maxDrainLinesPerSecond: 100 });
  const latest = await outage(bench, 120);
  bench.target.answer = async () => {
    await bench.clock.sleep(700);
    return taken();
  };
  await bench.clock.advance(700);
  await live(bench, 5);
  const late = missing(bench, latest);
  bench.target.answer = taken;
  await bench.clock.advance(700);
  assert.equal(late, 0);
});

test("lines of an append that began before the new lane do not wait for the backlog", async () => {
  await using bench = new SenderBench({ flush: FLUSH, maxDrainLinesPerSecond: 100 });
  const { appendCursor: before } = bench.sender;
  await outage(bench, 120);
  await live(bench, 5);
  assert.notEqual(bench.sender.appendCursor, before);
  const batch = batchOf(RATE, 9_000_000);
  await bench.spool.append(batch, [before]);
  await bench.clock.advance(FLUSH.intervalMs);
  assert.equal(missing(bench, Buffer.from(batch.bytes).toString().trimEnd().split("\n")), 0);
});

test("without a free lane new lines do not wait, and the backlog keeps its pace", async () => {
  await using bench = new SenderBench({ flush: FLUSH, maxDrainLinesPerSecond: 100 });
  for (let round = 0; round < 8; round++) {
    const latest = await outage(bench, 60);
    const before = bench.target.stored.length;
    assert.deepEqual([round, new Set(await live(bench, 5))], [round, new Set([0])]);
    assert.equal(missing(bench, latest), 0);
    const backlog = bench.target.stored.length - before - 5 * RATE - NEW;
    assert.ok(backlog <= 700, `${backlog} lines of the backlog in 5 seconds`);
  }
});

test("only the bad line is lost among the lines that are sent before a backlog", async () => {
  await using bench = new SenderBench({ flush: FLUSH, maxDrainLinesPerSecond: 100 });
  const latest = await outage(bench, 120);
  const bad = latest.at(-3) ?? "";
  bench.target.answer = (lines) =>
    lines.includes(bad) ? { status: 400, body: '{"message":"unable to parse"}' } : taken();
  await bench.clock.advance(2_000);
  assert.equal(missing(bench, latest), 1);
  assert.equal(bench.sender.state.rejectedLines, 1);
  assert.equal(await bench.sender.drain(never), true);
  const { deliveredLines, rejectedLines } = bench.sender.state;
  assert.deepEqual([deliveredLines, rejectedLines], [bench.appendedLines - 1, 1]);
});

test("a short failure makes no backlog: all lines stay in order", async () => {
  await using bench = new SenderBench({ flush: FLUSH, maxDrainLinesPerSecond: 100 });
  await outage(bench, 8);
  await bench.clock.advance(0);
  while (bench.sender.backlog.lines > 0) {
    await live(bench, 1);
    assert.equal(bench.sender.appendCursor, "main");
  }
});

test("a drain delivers all lanes, new lines first", async () => {
  await using bench = new SenderBench({ flush: FLUSH, maxDrainLinesPerSecond: 100 });
  await outage(bench, 120);
  await live(bench, 5);
  // The flush interval has just started.
  await bench.append(RATE);
  const latest = await bench.append(RATE);
  const before = bench.target.stored.length;
  assert.equal(await bench.sender.drain(never), true);
  assert.deepEqual(bench.target.stored.slice(before, before + RATE), latest);
  assert.equal(new Set(bench.target.stored).size, bench.appendedLines);
});

test("a search for a bad line in the backlog does not delay new lines", async () => {
  await using bench = new SenderBench({ flush: FLUSH, maxDrainLinesPerSecond: 10_000 });
  await outage(bench, 60);
  const [bad = ""] = bench.target.requests.at(-1)?.slice(3, 4) ?? [];
  bench.target.answer = async (lines) => {
    await bench.clock.sleep(200);
    return lines.includes(bad) ? { status: 400, body: '{"message":"unable to parse"}' } : taken();
  };
  assert.deepEqual(new Set(await live(bench, 20)), new Set([0]));
  assert.equal(bench.sender.state.rejectedLines, 1);
});
