import assert from "node:assert/strict";
import { test } from "node:test";
import type { Answer } from "../../../src/delivery/http/http-client.ts";
import { targetSettings } from "../../support/delivery.ts";
import { taken } from "../../support/memory-target.ts";
import { SenderBench } from "../../support/sender-bench.ts";

const never = new AbortController().signal;
const FAULT: Answer = { status: 500, body: '{"code":"internal error","message":"unexpected EOF"}' };
const REFUSED: Answer = { status: 400, body: '{"code":"invalid","message":"unable to parse"}' };
const MINUTE = 60_000;

function withLimits(maxLines: number): SenderBench {
  return new SenderBench({ flush: { ...targetSettings().flush, maxLines } });
}

/** Meets every request that has one of these lines with a fault, and takes the others. */
function faultFor(...poison: readonly (string | undefined)[]): (lines: readonly string[]) => Answer {
  return (lines) => (lines.some((line) => poison.includes(line)) ? FAULT : taken());
}

function missing(bench: SenderBench, lines: readonly string[]): string[] {
  const stored = new Set(bench.target.stored);
  return lines.filter((line) => !stored.has(line));
}

test("a line that the server fails at every time is given up after five minutes, and every other is delivered", async () => {
  await using bench = withLimits(1_000);
  bench.target.answer = (): Answer => ({ status: 503, body: "" });
  const lines = await bench.append(300, 300, 300);
  const poison = lines[444];
  bench.target.answer = faultFor(poison);
  await bench.clock.advance(4 * MINUTE);
  assert.deepEqual([bench.sender.state.rejectedLines, bench.sender.backlog.lines], [0, 900]);
  assert.equal(bench.sender.state.reason, "TargetUnreachable");
  await bench.clock.advance(3 * MINUTE);
  assert.deepEqual(missing(bench, lines), [poison]);
  assert.equal(bench.sender.backlog.lines, 0);
  assert.deepEqual(bench.log.of("rejected"), [`main rejected 1: HTTP 500 unexpected EOF: ${poison ?? ""}`]);
  assert.equal(bench.sender.state.state, "Delivering");
});

test("a server that fails at everything costs no line, however long, and gets single lines to try it with", async () => {
  await using bench = withLimits(1_000);
  bench.target.answer = () => FAULT;
  const lines = await bench.append(900, 900);
  await bench.clock.advance(10 * MINUTE);
  const before = bench.requests.length;
  await bench.clock.advance(60 * MINUTE);
  assert.deepEqual(new Set(bench.requests.slice(before)), new Set([1]));
  assert.ok(bench.requests.length - before <= 61, `${bench.requests.length - before} requests in an hour`);
  assert.deepEqual([bench.sender.state.rejectedLines, bench.sender.backlog.lines], [0, 1_800]);
  bench.target.answer = taken;
  await bench.clock.advance(MINUTE);
  assert.deepEqual(missing(bench, lines), []);
  assert.deepEqual([bench.sender.state.rejectedLines, bench.sender.backlog.lines], [0, 0]);
});

test("a server that fails at large requests only costs no line", async () => {
  await using bench = withLimits(1_000);
  bench.target.answer = (lines) => (lines.length > 3 ? FAULT : taken());
  const lines = await bench.append(900);
  await bench.clock.advance(10 * MINUTE);
  assert.deepEqual(missing(bench, lines), []);
  assert.equal(bench.sender.state.rejectedLines, 0);
});

test("a server that falls ill in the middle of the search for a poisonous line costs no other", async () => {
  await using bench = withLimits(1_000);
  bench.target.answer = (): Answer => ({ status: 503, body: "" });
  const lines = await bench.append(900);
  const poison = lines[444];
  let searched = 0;
  let illUntilMs = Number.POSITIVE_INFINITY;
  bench.target.answer = (sent) => {
    if (sent.length < 900 && ++searched === 8) illUntilMs = bench.clock.monotonic() + 10 * MINUTE;
    return searched >= 8 && bench.clock.monotonic() < illUntilMs ? FAULT : faultFor(poison)(sent);
  };
  await bench.clock.advance(60 * MINUTE);
  assert.ok(searched > 20);
  assert.deepEqual(missing(bench, lines), [poison]);
  assert.equal(bench.sender.state.rejectedLines, 1);
});

test("a fault that is not the same batch's every time, or is not plain, is no poison", async () => {
  await using bench = withLimits(1_000);
  const answers: Answer[] = [FAULT, { status: 503, body: "" }];
  let turn = 0;
  bench.target.answer = () => answers[turn++ % 2] ?? FAULT;
  await bench.append(10);
  await bench.clock.advance(30 * MINUTE);
  assert.ok(bench.requests.length > 10);
  assert.deepEqual(new Set(bench.requests), new Set([10]));
});

test("a line that is all there is is kept until it is seen that the server takes another", async () => {
  await using bench = withLimits(1_000);
  bench.target.answer = () => FAULT;
  bench.target.answer = faultFor(...(await bench.append(1)));
  await bench.clock.advance(30 * MINUTE);
  assert.deepEqual([bench.sender.state.rejectedLines, bench.sender.backlog.lines], [0, 1]);
  const others = await bench.append(5);
  await bench.clock.advance(2 * MINUTE);
  assert.deepEqual(missing(bench, others), []);
  assert.deepEqual([bench.sender.state.rejectedLines, bench.sender.backlog.lines], [1, 0]);
});

test("poison in a backlog does not hold up new lines, and they show that it is not the target that fails", async () => {
  await using bench = new SenderBench({ flush: { intervalMs: 1_000, maxLines: 10, maxBytes: 1 << 20 } });
  bench.target.answer = (): Answer => ({ status: 503, body: "" });
  const lines: string[] = [];
  for (let second = 0; second < 60; second++) {
    lines.push(...(await bench.append(5)));
    await bench.clock.advance(1_000);
  }
  const poison = lines[155];
  bench.target.answer = faultFor(poison);
  await bench.clock.advance(2 * MINUTE);
  const before = bench.log.of("failing").length;
  for (let second = 0; second < 900 && bench.sender.state.rejectedLines === 0; second++) {
    const fresh = await bench.append(5);
    lines.push(...fresh);
    await bench.clock.advance(2_000);
    assert.deepEqual(missing(bench, fresh), []);
  }
  await bench.clock.advance(MINUTE);
  assert.deepEqual(missing(bench, lines), [poison]);
  assert.ok(bench.log.of("failing").length <= before + 1, bench.log.of("failing").join("\n"));
});

test("a setting for which the server refuses every line costs none, and one line at a time is tried", async () => {
  await using bench = withLimits(1_000);
  bench.target.answer = () => REFUSED;
  const lines = await bench.append(600, 600);
  await bench.clock.advance(10 * MINUTE);
  const before = bench.requests.length;
  await bench.clock.advance(60 * MINUTE);
  assert.deepEqual(new Set(bench.requests.slice(before)), new Set([1]));
  assert.ok(bench.requests.length - before <= 61, `${bench.requests.length - before} requests in an hour`);
  const { state, reason, rejectedLines } = bench.sender.state;
  assert.deepEqual([state, reason, rejectedLines], ["Failing", "TargetRejecting", 0]);
  assert.equal(bench.log.of("failing").length, 1);
  assert.match(
    bench.log.of("failing")[0] ?? "",
    /HTTP 400 unable to parse \(the target accepts no line: check its settings/,
  );

  bench.target.answer = taken;
  await bench.clock.advance(MINUTE);
  assert.deepEqual(missing(bench, lines), []);
  assert.deepEqual([bench.sender.state.rejectedLines, bench.sender.backlog.lines], [0, 0]);
  assert.deepEqual(bench.log.of("recovered"), ["main recovered"]);
});

test("a setting that is at fault for a while does not make up for lines that are bad: these are found afterwards", async () => {
  await using bench = withLimits(1_000);
  bench.target.answer = () => REFUSED;
  const lines = await bench.append(100, 100);
  await bench.clock.advance(5 * MINUTE);
  const bad = [lines[7], lines[150]];
  bench.target.answer = (sent) => (sent.some((line) => bad.includes(line)) ? REFUSED : taken());
  await bench.clock.advance(5 * MINUTE);
  assert.deepEqual(missing(bench, lines), bad);
  assert.equal(bench.sender.state.rejectedLines, 2);
});

test("lines that are all bad are given up when a line behind them passes, and the target is not said to fail", async () => {
  await using bench = withLimits(10);
  bench.target.answer = (): Answer => ({ status: 503, body: "" });
  const bad = await bench.append(10);
  const good = await bench.append(10);
  bench.target.answer = (sent) => (sent.some((line) => bad.includes(line)) ? REFUSED : taken());
  await bench.clock.advance(MINUTE);
  assert.deepEqual(missing(bench, good), []);
  assert.equal(bench.sender.state.rejectedLines, 10);
  assert.equal(bench.log.of("failing").length, 1);
});

for (const [when, count, answers] of [
  ["it is searched", 64, 50],
  ["nothing passed", 64, 120],
  ["the last part of it is on its way", 2, 2],
] as const) {
  test(`what one server has decided of a batch does not count for the next one: ${when}`, async () => {
    await using bench = withLimits(1_000);
    let good: string | undefined;
    bench.target.answer = async (sent) => {
      await bench.clock.sleep(100);
      return sent.length === 1 && sent[0] === good ? taken() : REFUSED;
    };
    const lines = await bench.append(count);
    if (count === 2) good = lines[0];
    await bench.clock.advance(answers * 100 + 50);
    bench.sender.update({ ...bench.settings, url: "http://127.0.0.1:2" });
    bench.target.answer = taken;
    const drained = bench.sender.drain(never);
    // The old server's answer that is still to come.
    await bench.clock.advance(100);
    assert.equal(await drained, true);
    assert.deepEqual(missing(bench, lines), []);
    assert.equal(bench.sender.state.rejectedLines, 0);
  });
}
