import assert from "node:assert/strict";
import { test } from "node:test";
import type { Answer } from "../../../src/delivery/http/http-client.ts";
import { targetSettings } from "../../support/delivery.ts";
import { taken } from "../../support/memory-target.ts";
import { SenderBench } from "../../support/sender-bench.ts";

const never = new AbortController().signal;
const SERVER_ERROR: Answer = { status: 500, body: '{"code":"internal error","message":"unexpected EOF"}' };
const REJECTED: Answer = { status: 400, body: '{"code":"invalid","message":"unable to parse"}' };
const MINUTE = 60_000;

function withLimits(maxLines: number): SenderBench {
  return new SenderBench({ flush: { ...targetSettings().flush, maxLines } });
}

/** Answers 500 to each request with one of these lines, and accepts the others. */
function errorFor(...poison: readonly (string | undefined)[]): (lines: readonly string[]) => Answer {
  return (lines) => (lines.some((line) => poison.includes(line)) ? SERVER_ERROR : taken());
}

function missing(bench: SenderBench, lines: readonly string[]): string[] {
  const stored = new Set(bench.target.stored);
  return lines.filter((line) => !stored.has(line));
}

test("a line that causes 500 each time is rejected after five minutes, all others are delivered", async () => {
  await using bench = withLimits(1_000);
  bench.target.answer = (): Answer => ({ status: 503, body: "" });
  const lines = await bench.append(300, 300, 300);
  const poison = lines[444];
  bench.target.answer = errorFor(poison);
  await bench.clock.advance(4 * MINUTE);
  assert.deepEqual([bench.sender.state.rejectedLines, bench.sender.backlog.lines], [0, 900]);
  assert.equal(bench.sender.state.reason, "TargetUnreachable");
  await bench.clock.advance(3 * MINUTE);
  assert.deepEqual(missing(bench, lines), [poison]);
  assert.equal(bench.sender.backlog.lines, 0);
  assert.deepEqual(bench.log.of("rejected"), [`main rejected 1: HTTP 500 unexpected EOF: ${poison ?? ""}`]);
  assert.equal(bench.sender.state.state, "Delivering");
});

test("a line at which the server closes the connection is rejected after five minutes, all others are delivered", async () => {
  await using bench = withLimits(1_000);
  bench.target.answer = (): Answer => ({ status: 503, body: "" });
  const lines = await bench.append(300, 300, 300);
  const poison = lines[444] ?? "";
  const closed: Answer = { failure: "socket hang up", closed: true };
  bench.target.answer = (sent): Answer => (sent.includes(poison) ? closed : taken());
  await bench.clock.advance(4 * MINUTE);
  assert.deepEqual([bench.sender.state.rejectedLines, bench.sender.backlog.lines], [0, 900]);
  await bench.clock.advance(3 * MINUTE);
  assert.deepEqual(missing(bench, lines), [poison]);
  assert.deepEqual(bench.log.of("rejected"), [`main rejected 1: socket hang up: ${poison}`]);
});

test("no line is lost to a server that closes every connection, or that cannot be reached, for an hour", async () => {
  for (const closed of [true, false]) {
    await using bench = withLimits(1_000);
    bench.target.answer = (): Answer => ({ failure: "socket hang up", closed });
    const lines = await bench.append(900, 900);
    await bench.clock.advance(60 * MINUTE);
    assert.deepEqual([bench.sender.state.rejectedLines, bench.sender.backlog.lines], [0, 1_800]);
    bench.target.answer = taken;
    await bench.clock.advance(MINUTE);
    assert.deepEqual([missing(bench, lines), bench.sender.state.rejectedLines], [[], 0]);
  }
});

test("no line is lost to a server that fails always, and it is probed with single lines", async () => {
  await using bench = withLimits(1_000);
  bench.target.answer = () => SERVER_ERROR;
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

test("no line is lost to a server that fails only at large requests", async () => {
  await using bench = withLimits(1_000);
  bench.target.answer = (lines) => (lines.length > 3 ? SERVER_ERROR : taken());
  const lines = await bench.append(900);
  await bench.clock.advance(10 * MINUTE);
  assert.deepEqual(missing(bench, lines), []);
  assert.equal(bench.sender.state.rejectedLines, 0);
});

test("a server that starts to fail during the search for a poison line costs no other line", async () => {
  await using bench = withLimits(1_000);
  bench.target.answer = (): Answer => ({ status: 503, body: "" });
  const lines = await bench.append(900);
  const poison = lines[444];
  let searched = 0;
  let failsUntilMs = Number.POSITIVE_INFINITY;
  bench.target.answer = (sent) => {
    if (sent.length < 900 && ++searched === 8) failsUntilMs = bench.clock.monotonic() + 10 * MINUTE;
    return searched >= 8 && bench.clock.monotonic() < failsUntilMs ? SERVER_ERROR : errorFor(poison)(sent);
  };
  await bench.clock.advance(60 * MINUTE);
  assert.ok(searched > 20);
  assert.deepEqual(missing(bench, lines), [poison]);
  assert.equal(bench.sender.state.rejectedLines, 1);
});

test("alternating 500 and 503 answers do not make a batch poison", async () => {
  await using bench = withLimits(1_000);
  const answers: Answer[] = [SERVER_ERROR, { status: 503, body: "" }];
  let turn = 0;
  bench.target.answer = () => answers[turn++ % 2] ?? SERVER_ERROR;
  await bench.append(10);
  await bench.clock.advance(30 * MINUTE);
  assert.ok(bench.requests.length > 10);
  assert.deepEqual(new Set(bench.requests), new Set([10]));
});

test("the only queued line is kept until the server accepts another", async () => {
  await using bench = withLimits(1_000);
  bench.target.answer = () => SERVER_ERROR;
  bench.target.answer = errorFor(...(await bench.append(1)));
  await bench.clock.advance(30 * MINUTE);
  assert.deepEqual([bench.sender.state.rejectedLines, bench.sender.backlog.lines], [0, 1]);
  const others = await bench.append(5);
  await bench.clock.advance(2 * MINUTE);
  assert.deepEqual(missing(bench, others), []);
  assert.deepEqual([bench.sender.state.rejectedLines, bench.sender.backlog.lines], [1, 0]);
});

test("poison in a backlog delays no new lines and is not reported as failure again", async () => {
  await using bench = new SenderBench({ flush: { intervalMs: 1_000, maxLines: 10, maxBytes: 1 << 20 } });
  bench.target.answer = (): Answer => ({ status: 503, body: "" });
  const lines: string[] = [];
  for (let second = 0; second < 60; second++) {
    lines.push(...(await bench.append(5)));
    await bench.clock.advance(1_000);
  }
  const poison = lines[155];
  bench.target.answer = errorFor(poison);
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

test("if the server rejects every line, all are kept and it is probed with single lines", async () => {
  await using bench = withLimits(1_000);
  bench.target.answer = () => REJECTED;
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

test("bad lines are found after a wrong setting that rejected every line is corrected", async () => {
  await using bench = withLimits(1_000);
  bench.target.answer = () => REJECTED;
  const lines = await bench.append(100, 100);
  await bench.clock.advance(5 * MINUTE);
  const bad = [lines[7], lines[150]];
  bench.target.answer = (sent) => (sent.some((line) => bad.includes(line)) ? REJECTED : taken());
  await bench.clock.advance(5 * MINUTE);
  assert.deepEqual(missing(bench, lines), bad);
  assert.equal(bench.sender.state.rejectedLines, 2);
});

test("a batch of bad lines is rejected when a later line is accepted, without a failure", async () => {
  await using bench = withLimits(10);
  bench.target.answer = (): Answer => ({ status: 503, body: "" });
  const bad = await bench.append(10);
  const good = await bench.append(10);
  bench.target.answer = (sent) => (sent.some((line) => bad.includes(line)) ? REJECTED : taken());
  await bench.clock.advance(MINUTE);
  assert.deepEqual(missing(bench, good), []);
  assert.equal(bench.sender.state.rejectedLines, 10);
  assert.equal(bench.log.of("failing").length, 1);
});

for (const [when, count, answers] of [
  ["during a search", 64, 50],
  ["after it rejected every line", 64, 120],
  ["while the last part is in flight", 2, 2],
] as const) {
  test(`answers of the old server do not count for a new one, ${when}`, async () => {
    await using bench = withLimits(1_000);
    let good: string | undefined;
    bench.target.answer = async (sent) => {
      await bench.clock.sleep(100);
      return sent.length === 1 && sent[0] === good ? taken() : REJECTED;
    };
    const lines = await bench.append(count);
    if (count === 2) good = lines[0];
    await bench.clock.advance(answers * 100 + 50);
    bench.sender.update({ ...bench.settings, url: "http://127.0.0.1:2" });
    bench.target.answer = taken;
    const drained = bench.sender.drain(never);
    // The old server's answer arrives now.
    await bench.clock.advance(100);
    assert.equal(await drained, true);
    assert.deepEqual(missing(bench, lines), []);
    assert.equal(bench.sender.state.rejectedLines, 0);
  });
}

test("no line is lost to a balancer that closes every second connection", async () => {
  await using bench = withLimits(1_000);
  const closed: Answer = { failure: "closed", closed: true };
  bench.target.answer = () => closed;
  const lines = await bench.append(900);
  await bench.clock.advance(7 * MINUTE);
  let turn = 0;
  bench.target.answer = () => (turn++ % 2 === 0 ? closed : taken());
  await bench.clock.advance(20 * MINUTE);
  assert.deepEqual([missing(bench, lines), bench.sender.state.rejectedLines], [[], 0]);
});
