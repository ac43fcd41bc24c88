import assert from "node:assert/strict";
import { test } from "node:test";
import { hanging, taken } from "../../support/memory-target.ts";
import { CAPS, SenderBench } from "../../support/sender-bench.ts";

const never = new AbortController().signal;

/** Returns the state of a promise. */
function watch<T>(promise: Promise<T>): { result: T | undefined } {
  const watched: { result: T | undefined } = { result: undefined };
  void promise.then((result) => (watched.result = result));
  return watched;
}

test("a drain without lines succeeds at once", async () => {
  await using bench = new SenderBench();
  assert.equal(await bench.sender.drain(never), true);
  assert.equal(await bench.sender.drain(AbortSignal.abort()), true);
});

test("a drain waits only for lines that are queued when it starts", async () => {
  await using bench = new SenderBench();
  const answer = Promise.withResolvers<ReturnType<typeof taken>>();
  bench.target.answer = () => answer.promise;
  await bench.append(1);
  const drained = watch(bench.sender.drain(never));
  await bench.append(2);
  assert.equal(drained.result, undefined);
  bench.target.answer = hanging;
  answer.resolve(taken());
  await bench.clock.advance(0);
  assert.equal(drained.result, true);
  assert.equal(bench.sender.backlog.lines, 2);
});

test("a drain retries a failing target every second, however long it has failed", async () => {
  await using bench = new SenderBench();
  bench.target.answer = () => ({ status: 503, body: "" });
  await bench.append(1);
  await bench.clock.advance(600_000);
  const drained = watch(bench.sender.drain(never));
  await bench.clock.advance(0);
  const requests = bench.requests.length;
  await bench.clock.advance(3_000);
  assert.equal(bench.requests.length, requests + 3);
  bench.target.answer = taken;
  await bench.clock.advance(1_000);
  assert.equal(drained.result, true);
});

test("a drain fails if its signal aborts or the sender stops", async () => {
  await using bench = new SenderBench();
  bench.target.answer = hanging;
  await bench.append(1);
  const controller = new AbortController();
  const [aborted, stopped] = [watch(bench.sender.drain(controller.signal)), watch(bench.sender.drain(never))];
  controller.abort();
  await bench.clock.advance(0);
  assert.deepEqual([aborted.result, stopped.result], [false, undefined]);
  await bench.stop();
  await bench.clock.advance(0);
  assert.equal(stopped.result, false);
  assert.equal(bench.sender.backlog.lines, 1);
});

test("a drain does not wait for lines that a cap dropped", async () => {
  await using bench = new SenderBench();
  bench.target.answer = () => ({ status: 503, body: "" });
  await bench.append(5);
  const drained = watch(bench.sender.drain(never));
  await bench.clock.advance(0);
  bench.spool.caps = { ...CAPS, maxBytes: 0 };
  await bench.clock.advance(1_000);
  assert.equal(drained.result, false);
  assert.equal(bench.sender.state.droppedLines, 5);
});

test("a drain does not wait for later lines that replace dropped ones", async () => {
  await using bench = new SenderBench();
  bench.target.answer = () => ({ status: 503, body: "" });
  await bench.append(500);
  const drained = watch(bench.sender.drain(never));
  await bench.append(1);
  bench.spool.caps = { ...CAPS, maxBytes: bench.spool.stats.bytes - 1 };
  await bench.clock.advance(1_000);
  assert.equal(drained.result, false);
  assert.equal(bench.sender.backlog.lines, 1);
});
