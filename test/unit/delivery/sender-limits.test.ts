import assert from "node:assert/strict";
import { test } from "node:test";
import type { Answer } from "../../../src/delivery/http/http-client.ts";
import { countLines, type Rejection } from "../../../src/delivery/rejection.ts";
import { targetSettings } from "../../support/delivery.ts";
import { taken } from "../../support/memory-target.ts";
import { SenderBench } from "../../support/sender-bench.ts";

const MINUTE = 60_000;
const FAULT: Answer = { status: 500, body: '{"code":"internal error","message":"unexpected EOF"}' };
const UNPARSABLE: Answer = { status: 400, body: '{"code":"invalid","message":"unable to parse"}' };

function withFrames(): SenderBench {
  return new SenderBench({ flush: { ...targetSettings().flush, intervalMs: 1_000, maxLines: 1_000 } });
}

/** A sender and what it puts on record. */
function withRecord(name: string): readonly [SenderBench, readonly Rejection[]] {
  const records: Rejection[] = [];
  const bench = new SenderBench({ name }, undefined, {
    write: (_target, rejections) => {
      records.push(...rejections);
      return Promise.resolve();
    },
  });
  return [bench, records];
}

function dropped(reason: string, lines: number): Answer {
  return { status: 400, body: JSON.stringify({ error: `partial write: ${reason} dropped=${lines}` }) };
}

function atLimit(lines: readonly string[]): Answer {
  return dropped("max-series-per-database limit exceeded: (1000)", lines.length);
}

function listed(lines: readonly string[], reason: string): Answer {
  const data = lines.map((line, index) => ({
    original_line: line.slice(0, 20),
    line_number: index + 1,
    error_message: reason,
  }));
  return { status: 422, body: JSON.stringify({ error: "partial write of line protocol occurred", data }) };
}

function missing({ target }: SenderBench, lines: readonly string[]): string[] {
  const stored = new Set(target.stored);
  return lines.filter((line) => !stored.has(line));
}

for (const [what, answer] of Object.entries({
  "InfluxDB 1 drops every series": atLimit,
  "InfluxDB 1 drops every line for a conflict": (lines) => dropped("field type conflict: input field x", lines.length),
  "InfluxDB 3 lists every line for a limit": (lines) =>
    listed(lines, "Update to schema would exceed number of tables limit of 2000 tables"),
  "InfluxDB 3 lists every line for a conflict": (lines) => listed(lines, "invalid column type"),
  "InfluxDB 3 lists more than an answer may hold": (lines) => {
    const { status, body } = listed(lines, "invalid column type") as { status: number; body: string };
    return { status, body: body.slice(0, -1) };
  },
} satisfies Record<string, (lines: readonly string[]) => Answer>)) {
  test(`a partial write that stored nothing rejects no good line: ${what}`, async () => {
    await using bench = withFrames();
    bench.target.answer = answer;
    const lines = await bench.append(600, 600);
    await bench.clock.advance(60 * MINUTE);
    const { state, reason, rejectedLines, deliveredLines, lastSuccessMs } = bench.sender.state;
    assert.deepEqual([state, reason], ["Failing", "TargetRejecting"]);
    assert.deepEqual([rejectedLines, deliveredLines, lastSuccessMs], [0, 0, undefined]);
    assert.equal(bench.sender.backlog.lines, 1_200);
    assert.deepEqual([bench.log.of("delivered"), bench.log.of("rejected")], [[], []]);
    assert.equal(bench.log.of("failing").length, 1);
    assert.ok(bench.requests.length <= 150, `${bench.requests.length} requests in an hour`);

    bench.target.answer = taken;
    await bench.clock.advance(2 * MINUTE);
    assert.deepEqual(missing(bench, lines), []);
    assert.deepEqual([bench.sender.state.rejectedLines, bench.sender.backlog.lines], [0, 0]);
    assert.deepEqual(bench.log.of("recovered"), ["main recovered"]);
  });
}

test("one bad line is found if the server counts each line of a batch as dropped", async () => {
  await using bench = withFrames();
  bench.target.answer = () => ({ status: 503, body: "" });
  const lines = await bench.append(600, 600);
  const bad = lines[444] ?? "";
  bench.target.answer = (sent) => (sent.includes(bad) ? dropped("field type conflict", sent.length) : taken());
  await bench.clock.advance(5 * MINUTE);
  assert.deepEqual(missing(bench, lines), [bad]);
  assert.deepEqual(bench.log.of("rejected"), [
    `main rejected 1: HTTP 400 partial write: field type conflict dropped=1: ${bad}`,
  ]);
  assert.equal(bench.sender.state.state, "Delivering");
});

test("a line beyond a server limit is kept, though others are stored and one is bad", async () => {
  await using bench = withFrames();
  bench.target.answer = () => ({ status: 503, body: "" });
  const fresh = await bench.append(100);
  const known = await bench.append(1_000);
  const bad = fresh[44] ?? "";
  const series = new Set(known);
  bench.target.answer = (lines) => {
    if (lines.includes(bad)) return UNPARSABLE;
    return lines.some((line) => !series.has(line)) ? atLimit(lines) : taken();
  };
  await bench.clock.advance(60 * MINUTE);
  assert.deepEqual([bench.sender.state.rejectedLines, bench.sender.state.reason], [0, "TargetRejecting"]);
  assert.equal(bench.sender.backlog.lines, 1_100);
  bench.target.answer = (lines) => (lines.includes(bad) ? UNPARSABLE : taken());
  await bench.clock.advance(2 * MINUTE);
  assert.deepEqual(missing(bench, [...fresh, ...known]), [bad]);
  assert.equal(bench.sender.state.rejectedLines, 1);
});

test("a server limit after five minutes of failures rejects no line", async () => {
  await using bench = withFrames();
  bench.target.answer = () => FAULT;
  const fresh = await bench.append(100);
  const known = await bench.append(1_000);
  await bench.clock.advance(8 * MINUTE);
  const series = new Set(known);
  bench.target.answer = (lines) => (lines.some((line) => !series.has(line)) ? atLimit(lines) : taken());
  await bench.clock.advance(60 * MINUTE);
  assert.equal(bench.sender.state.rejectedLines, 0);
  bench.target.answer = taken;
  await bench.clock.advance(2 * MINUTE);
  assert.deepEqual(missing(bench, [...fresh, ...known]), []);
});

test("the time at a server limit does not count as time of server errors", async () => {
  await using bench = withFrames();
  bench.target.answer = atLimit;
  await bench.append(10);
  await bench.clock.advance(60 * MINUTE);
  bench.target.answer = () => FAULT;
  await bench.clock.advance(3 * MINUTE);
  assert.deepEqual(new Set(bench.requests), new Set([10]));
  assert.equal(bench.sender.backlog.lines, 10);
});

test("at a server limit the lines of known series are still stored", async () => {
  await using bench = withFrames();
  const known = new Set(await bench.append(50));
  const stored = new Set<string>();
  bench.target.answer = (lines) => {
    const fresh = lines.filter((line) => !known.has(line));
    for (const line of lines) if (known.has(line)) stored.add(line);
    return fresh.length === 0 ? taken() : atLimit(fresh);
  };
  const fresh = await bench.append(20);
  await bench.clock.advance(MINUTE);
  assert.equal(bench.sender.state.reason, "TargetRejecting");
  for (const line of await bench.append(300)) known.add(line);
  await bench.clock.advance(2 * MINUTE);
  assert.equal(stored.size, 300);
  assert.equal(bench.sender.backlog.lines, 0);
  assert.deepEqual([bench.sender.state.rejectedLines, bench.sender.state.deliveredLines], [fresh.length, 350]);
  assert.equal(bench.sender.state.state, "Delivering");
});

test("at a server limit, lines that are stored in part are on record once in five minutes for each target", async () => {
  const benches = ["one", "two"].map((name) => withRecord(name));
  const minutes = 12;
  for (const [bench] of benches) {
    // Half of each batch is of new series.
    bench.target.answer = (lines) => atLimit(lines.slice(lines.length / 2));
    for (let minute = 0; minute < minutes; minute++) {
      await bench.append(100);
      await bench.clock.advance(MINUTE);
    }
    await bench.stop();
  }
  for (const [bench, records] of benches) {
    assert.equal(bench.sender.state.rejectedLines, minutes * 50);
    assert.equal(countLines(records), minutes * 50);
    const whole = records.flatMap(({ bytes }, minute) => (bytes === undefined ? [] : [minute]));
    assert.deepEqual(whole, [0, 5, 10]);
  }
});

test("lines that are all too old are rejected at once and are not a success", async () => {
  await using bench = withFrames();
  bench.target.answer = (lines) => dropped("points beyond retention policy", lines.length);
  await bench.append(30);
  await bench.clock.advance(MINUTE);
  const { rejectedLines, deliveredLines, lastSuccessMs } = bench.sender.state;
  assert.deepEqual([rejectedLines, deliveredLines, lastSuccessMs], [30, 0, undefined]);
  assert.deepEqual(bench.log.of("delivered"), []);
});
