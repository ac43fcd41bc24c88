import assert from "node:assert/strict";
import { test } from "node:test";
import { DecodeQueue, finish, type Steps } from "../../../src/libvirt/decode-queue.ts";

/** A queue whose clock moves only with the steps: each takes a millisecond. */
function bench() {
  let now = 0;
  const log: string[] = [];
  const queue = new DecodeQueue(() => now);
  function* steps(name: string, count: number): Steps<string> {
    for (let left = count; left > 0; left--) {
      now++;
      yield;
    }
    log.push(name);
    return name;
  }
  return { queue, steps, log, detach: (name: string) => () => void log.push(`${name} detached`), now: () => now };
}

test("a short reply is decoded at once and not copied", () => {
  const { queue, steps, log, detach } = bench();
  assert.equal(queue.run(steps("a", 10), detach("a")), "a");
  assert.deepEqual(log, ["a"]);
});

test("a long reply is copied after 15 ms and goes on in later turns of the event loop", async () => {
  const { queue, steps, log, detach, now } = bench();
  const reply = queue.run(steps("long", 100), detach("long"));
  assert.deepEqual([log, now()], [["long detached"], 15]);
  const times: number[] = [];
  for (let done = false; !done; done = log.includes("long")) {
    await new Promise((resolve) => setImmediate(resolve));
    times.push(now());
  }
  assert.equal(await reply, "long");
  times.reduce((before, time) => {
    assert.ok(time - before <= 15, times.join());
    return time;
  }, 15);
});

test("all replies of one turn share its time, and a short one overtakes long ones", async () => {
  const { queue, steps, log, detach } = bench();
  const replies = [
    queue.run(steps("long", 100), detach("long")),
    queue.run(steps("longer", 200), detach("longer")),
    queue.run(steps("short", 3), detach("short")),
  ];
  assert.deepEqual(log, ["long detached", "longer detached", "short detached"]);
  assert.deepEqual(await Promise.all(replies.map((reply) => Promise.resolve(reply))), ["long", "longer", "short"]);
  assert.deepEqual(log.slice(3), ["short", "long", "longer"]);
});

test("one waiting reply is completed in a turn, so that the work of the callers is not done in one", async () => {
  const { queue, steps, log, detach } = bench();
  const names = ["a", "b", "c"];
  void queue.run(steps("first", 15), detach("first"));
  for (const name of names) void queue.run(steps(name, 1), detach(name));
  const completed = (): string[] => names.filter((name) => log.includes(name));
  const turns: number[] = [];
  for (let turn = 0; turn < 3; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    turns.push(completed().length);
  }
  turns.reduce((before, count) => {
    assert.ok(count - before <= 1, turns.join());
    return count;
  }, 0);
});

test("a reply of a connection that has ended is not decoded further", async () => {
  const { queue, steps, log, detach, now } = bench();
  let isWanted = true;
  void queue.run(steps("long", 100), detach("long"), () => isWanted);
  isWanted = false;
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([log, now()], [["long detached"], 15]);
});

test("the time of a turn is not counted in a later turn", async () => {
  const { queue, steps, detach } = bench();
  for (let turn = 0; turn < 3; turn++) {
    assert.equal(queue.run(steps("a", 14), detach("a")), "a");
    await new Promise((resolve) => setImmediate(resolve));
  }
});

test("a fault of a later step rejects only its own reply", async () => {
  const { queue, steps, detach } = bench();
  function* faulty(): Steps<never> {
    yield* steps("before", 20);
    throw new Error("malformed");
  }
  const [faultyReply, goodReply] = [
    queue.run(faulty(), detach("faulty")),
    queue.run(steps("good", 30), detach("good")),
  ];
  await assert.rejects(async () => faultyReply, /malformed/);
  assert.equal(await goodReply, "good");
});

test("finish runs all steps", () => {
  assert.equal(finish(bench().steps("a", 1_000)), "a");
});
