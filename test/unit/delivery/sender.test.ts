import assert from "node:assert/strict";
import { test } from "node:test";
import type { EffectiveTarget } from "../../../src/config/resolve.ts";
import { goodLine, targetSettings } from "../../support/delivery.ts";
import { hanging, MemoryTarget, taken } from "../../support/memory-target.ts";
import { CAPS, SenderBench } from "../../support/sender-bench.ts";

const never = new AbortController().signal;

function flush(change: Partial<EffectiveTarget["flush"]>): Partial<EffectiveTarget> {
  return { flush: { ...targetSettings().flush, ...change } };
}

test("lines wait for others to share a request, up to the flush interval", async () => {
  await using bench = new SenderBench(flush({ intervalMs: 1_000 }));
  await bench.append(1);
  assert.deepEqual(bench.requests, [1]);
  await bench.clock.advance(300);
  await bench.append(2);
  await bench.append(3);
  await bench.clock.advance(699);
  assert.deepEqual(bench.requests, [1]);
  await bench.clock.advance(1);
  assert.deepEqual(bench.requests, [1, 5]);
});

test("lines that fill a request do not wait", async () => {
  await using bench = new SenderBench(flush({ intervalMs: 60_000, maxLines: 5 }));
  await bench.append(1);
  await bench.append(5);
  assert.deepEqual(bench.requests, [1, 5]);
});

test("a drain does not wait for more lines", async () => {
  await using bench = new SenderBench(flush({ intervalMs: 60_000 }));
  await bench.append(1);
  await bench.append(2);
  assert.deepEqual(bench.requests, [1]);
  assert.equal(await bench.sender.drain(never), true);
  assert.deepEqual(bench.requests, [1, 2]);
});

test("a request has as many frames as its limits allow, in order", async () => {
  await using bench = new SenderBench(flush({ maxLines: 8 }));
  bench.target.answer = () => ({ status: 503, body: "" });
  await bench.append(4, 4, 4);
  bench.target.answer = taken;
  assert.equal(await bench.sender.drain(never), true);
  assert.deepEqual(bench.requests.slice(-2), [8, 4]);
  assert.deepEqual(
    bench.target.stored,
    [0, 1, 2].flatMap((frame) => [0, 1, 2, 3].map((line) => goodLine(frame * 10_000 + line))),
  );
});

test("a backlog is sent at the configured pace, and a drain ignores the pace", async () => {
  await using bench = new SenderBench({ ...flush({ maxLines: 10 }), maxDrainLinesPerSecond: 10 });
  bench.target.answer = () => ({ status: 503, body: "" });
  await bench.append(10, 10, 10, 10, 10);
  bench.target.answer = taken;
  bench.sender.update({ ...bench.settings });
  await bench.clock.advance(0);
  for (const stored of [10, 20, 30]) {
    assert.equal(bench.target.stored.length, stored);
    await bench.clock.advance(999);
    assert.equal(bench.target.stored.length, stored);
    await bench.clock.advance(1);
  }
  assert.equal(await bench.sender.drain(never), true);
  assert.equal(bench.target.stored.length, 50);
});

test("the backoff doubles up to a minute, and an answer resets it", async () => {
  await using bench = new SenderBench();
  const at: number[] = [];
  bench.target.answer = () => {
    at.push(bench.clock.monotonic());
    return { failure: "connect ECONNREFUSED" };
  };
  await bench.append(1);
  await bench.clock.advance(300_000);
  const waits = at.slice(1).map((time, index) => time - (at[index] ?? 0));
  assert.deepEqual(waits.slice(0, 9), [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  bench.target.answer = taken;
  await bench.clock.advance(60_000);
  assert.equal(bench.sender.state.consecutiveFailures, 0);
  bench.target.answer = () => ({ status: 503, body: "" });
  await bench.append(1);
  const requests = bench.requests.length;
  await bench.clock.advance(1_500);
  assert.equal(bench.requests.length, requests + 2);
});

test("new settings are used on a new connection after the request in flight", async () => {
  await using bench = new SenderBench();
  const answer = Promise.withResolvers<ReturnType<typeof taken>>();
  bench.target.answer = () => answer.promise;
  await bench.append(1);
  await bench.append(2);
  const renewed = { ...bench.settings, url: "http://127.0.0.1:2" };
  bench.sender.update(renewed);
  await bench.clock.advance(10_000);
  assert.deepEqual([bench.requests, bench.target.connections.length, bench.target.closed], [[1], 1, 0]);
  bench.target.answer = taken;
  answer.resolve(taken());
  await bench.clock.advance(0);
  assert.deepEqual([bench.requests, bench.target.closed], [[1, 2], 1]);
  assert.equal(bench.target.connections.at(-1), renewed);
});

test("new settings end a backoff", async () => {
  await using bench = new SenderBench();
  bench.target.answer = () => ({ status: 503, body: "", retryAfter: "600" });
  await bench.append(1);
  bench.target.answer = taken;
  bench.sender.update({ ...bench.settings });
  await bench.clock.advance(bench.settings.flush.intervalMs);
  assert.equal(bench.target.stored.length, 1);
});

test("new limits apply at once", async () => {
  await using bench = new SenderBench();
  bench.sender.update({ ...bench.settings, ...flush({ maxLines: 7 }) });
  assert.equal(bench.sender.state.batchLines, 7);
  await bench.append(7, 7);
  await bench.clock.advance(1);
  assert.deepEqual(bench.requests, [7, 7]);
});

test("a server that counts more rejected lines than were sent rejected all that were sent", async () => {
  await using bench = new SenderBench();
  bench.target.answer = () => ({ status: 422, body: '{"message":"partial write: beyond retention dropped=999"}' });
  await bench.append(3);
  const { deliveredLines, rejectedLines } = bench.sender.state;
  assert.deepEqual([deliveredLines, rejectedLines], [0, 3]);
  assert.match(
    bench.log.of("rejected").join(),
    /^main rejected 3: HTTP 422 partial write: beyond retention dropped=999: vm_metrics,name=vm-0 [^,]*,up=true \d+$/,
  );
});

test("no line is lost if a frame has more lines than a request may have", async () => {
  await using bench = new SenderBench(flush({ maxLines: 3 }));
  await bench.append(1_000);
  assert.equal(await bench.sender.drain(never), true);
  assert.equal(bench.target.stored.length, 1_000);
  assert.equal(bench.sender.state.rejectedLines, 0);
  assert.equal(Math.max(...bench.requests), 3);
});

test("a request keeps to its maximum size even if a frame is larger", async () => {
  await using bench = new SenderBench(flush({ maxBytes: 16 << 10 }));
  await bench.append(1_000);
  assert.equal(await bench.sender.drain(never), true);
  assert.equal(bench.target.stored.length, 1_000);
  const sizes = bench.target.requests.map((lines) => Buffer.byteLength(lines.join("\n")) + 1);
  assert.ok(sizes.length > 1 && Math.max(...sizes) <= 16 << 10, sizes.join(" "));
});

test("after a 413 requests grow back, even if each frame is larger than a request", async () => {
  await using bench = new SenderBench(flush({ maxLines: 100 }));
  const answers = [{ status: 413, body: "" }];
  bench.target.answer = () => answers.shift() ?? taken();
  for (let round = 0; round < 10; round++) {
    await bench.append(100);
    assert.equal(await bench.sender.drain(never), true);
  }
  assert.deepEqual(bench.requests.slice(0, 3), [100, 50, 50]);
  assert.equal(bench.requests.at(-1), 100);
  assert.equal(bench.target.stored.length, 1_000);
});

test("an unplanned exception is reported, and the request is retried", async () => {
  const target = new MemoryTarget();
  let faults = 2;
  await using bench = new SenderBench(
    {},
    {
      ...target.protocol,
      open: (...given) => {
        if (faults-- > 0) throw new Error("unplanned");
        return target.protocol.open(...given);
      },
    },
  );
  await bench.append(1);
  assert.deepEqual(bench.log.events, ["main failing TargetUnreachable: internal fault: unplanned"]);
  await bench.clock.advance(1_500);
  assert.equal(target.stored.length, 1);
});

test("lines that grew too old in an outage count as dropped, and the rest is delivered", async () => {
  await using bench = new SenderBench();
  bench.spool.caps = { ...CAPS, maxAgeMs: 100_000 };
  bench.target.answer = () => ({ status: 503, body: "" });
  await bench.append(5);
  await bench.clock.advance(99_000);
  await bench.append(2);
  bench.target.answer = taken;
  await bench.clock.advance(61_000);
  const { deliveredLines, droppedLines, state } = bench.sender.state;
  assert.deepEqual([deliveredLines, droppedLines, state], [2, 5, "Delivering"]);
  assert.equal(bench.sender.backlog.lines, 0);
});

test("if all lines have grown too old, nothing is sent", async () => {
  await using bench = new SenderBench();
  bench.spool.caps = { ...CAPS, maxAgeMs: 1_000 };
  bench.target.answer = () => ({ status: 503, body: "", retryAfter: "10" });
  await bench.append(5);
  await bench.clock.advance(60_000);
  assert.deepEqual(bench.requests, [5]);
  assert.equal(bench.sender.state.droppedLines, 5);
});

test("an answer for lines that a cap dropped meanwhile acknowledges no later lines", async () => {
  await using bench = new SenderBench();
  const answer = Promise.withResolvers<ReturnType<typeof taken>>();
  bench.target.answer = () => answer.promise;
  await bench.append(500);
  await bench.append(1);
  bench.spool.caps = { ...CAPS, maxBytes: bench.spool.stats.bytes - 1 };
  bench.target.answer = taken;
  answer.resolve(taken());
  assert.equal(await bench.sender.drain(never), true);
  assert.deepEqual(bench.requests, [500, 1]);
});

test("stopping aborts the request, keeps the lines and reports nothing", async () => {
  const bench = new SenderBench();
  bench.target.answer = hanging;
  await bench.append(3);
  await bench.stop();
  await bench.append(1);
  assert.deepEqual([bench.requests, bench.target.closed, bench.sender.backlog.lines], [[3], 1, 4]);
  assert.deepEqual(bench.log.events, []);
  assert.equal(bench.sender.state.state, "Idle");
  assert.equal(bench.clock.sleeping, 0);
});
