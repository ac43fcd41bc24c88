import assert from "node:assert/strict";
import { test } from "node:test";
import { Turns } from "../../../src/observability/turns.ts";
import { FakeClock } from "../../support/fake-clock.ts";

/** Takes turns that write down their numbers. */
class Bench {
  readonly clock = new FakeClock();
  readonly taken: number[] = [];
  /** Clients whose items cannot start. */
  readonly blocked = new Set<string>();
  readonly loads = new Map<string, number>();
  readonly turns = new Turns<number>(
    {
      rate: { burst: 3, periodMs: 100 },
      start: (number) => this.taken.push(number),
      loadOf: (client) => this.loads.get(client) ?? 0,
      canStart: (client) => !this.blocked.has(client),
    },
    this.clock,
  );

  take(number: number, client = "a"): () => void {
    this.turns.take(client, number);
    return () => {
      this.turns.giveUp(client, number);
    };
  }
}

test("a burst of turns is available at once, the others come at the rate and in order", async () => {
  const bench = new Bench();
  for (let number = 0; number < 8; number++) bench.take(number);
  assert.deepEqual(bench.taken, [0, 1, 2]);
  await bench.clock.advance(200);
  assert.deepEqual(bench.taken, [0, 1, 2, 3, 4]);
  await bench.clock.advance(1_000);
  assert.deepEqual(bench.taken, [0, 1, 2, 3, 4, 5, 6, 7]);
});

test("a turn that is given up goes to the next one", async () => {
  const bench = new Bench();
  const giveUp = [0, 1, 2, 3, 4].map((number) => bench.take(number));
  giveUp[3]?.();
  await bench.clock.advance(100);
  assert.deepEqual(bench.taken, [0, 1, 2, 4]);
});

test("turns that are given up leave no timers behind", async () => {
  const bench = new Bench();
  for (let number = 0; number < 3; number++) bench.take(number);
  for (let number = 3; number < 10; number++) bench.take(number)();
  bench.take(10);
  assert.equal(bench.clock.sleeping, 1);
  await bench.clock.advance(200);
  assert.deepEqual([bench.taken.at(-1), bench.clock.sleeping], [10, 0]);
});

test("after a pause no more than the burst is available", async () => {
  const bench = new Bench();
  await bench.clock.advance(3_600_000);
  for (let number = 0; number < 5; number++) bench.take(number);
  assert.deepEqual(bench.taken, [0, 1, 2]);
  assert.equal(bench.clock.sleeping, 1);
  await bench.clock.advance(1_000);
  assert.equal(bench.clock.sleeping, 0, "nothing runs while nothing waits");
});

test("a client with fewer turns in the last second goes on before those that wait longer", async () => {
  const bench = new Bench();
  for (let number = 0; number < 20; number++) bench.take(number);
  await bench.clock.advance(100);
  bench.take(100, "b");
  await bench.clock.advance(100);
  assert.deepEqual(bench.taken, [0, 1, 2, 3, 100]);
});

test("a client that is known for longer goes on before many that are new", async () => {
  const bench = new Bench();
  bench.take(0, "kubelet");
  await bench.clock.advance(10_000);
  for (let number = 1; number <= 50; number++) bench.take(number, `new ${number}`);
  bench.take(100, "kubelet");
  await bench.clock.advance(1_100);
  assert.ok(bench.taken.indexOf(100) <= 13, bench.taken.join(" "));
});

test("a client is forgotten ten minutes after its last turn, and many new ones do not replace it earlier", async () => {
  const bench = new Bench();
  bench.take(0, "kubelet");
  for (let number = 1; number <= 1_000; number++) {
    bench.take(number, `new ${number}`);
    await bench.clock.advance(100);
  }
  for (let number = 2_000; number < 2_020; number++) bench.take(number, `other ${number}`);
  bench.take(3_000, "kubelet");
  await bench.clock.advance(1_200);
  assert.ok(bench.taken.includes(3_000));
});

test("a client with less load goes on first, and while it cannot start no other does", async () => {
  const bench = new Bench();
  for (let number = 0; number < 5; number++) bench.take(number);
  bench.loads.set("a", 2).set("b", 1);
  bench.take(100, "b");
  bench.blocked.add("b");
  await bench.clock.advance(300);
  assert.deepEqual(bench.taken, [0, 1, 2]);
  bench.blocked.clear();
  await bench.clock.advance(100);
  assert.equal(bench.taken[3], 100);
});

test("a new client gets a turn although many known ones wait all the time", async () => {
  const bench = new Bench();
  const known = Array.from({ length: 12 }, (_, index) => `known ${index}`);
  // Each has one item that waits, at any moment.
  const refill = (): void => {
    for (const client of known) if (!bench.turns.waiting.has(client)) bench.take(0, client);
  };
  for (let turn = 0; turn < 40; turn++) {
    refill();
    await bench.clock.advance(100);
  }
  bench.take(100, "new");
  for (let turn = 0; turn < 2 * (known.length + 1); turn++) {
    refill();
    await bench.clock.advance(100);
  }
  assert.ok(bench.taken.includes(100));
});
