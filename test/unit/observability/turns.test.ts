import assert from "node:assert/strict";
import { test } from "node:test";
import { Turns } from "../../../src/observability/turns.ts";
import { FakeClock } from "../../support/fake-clock.ts";

/** Takes turns that write down their numbers. */
class Bench {
  readonly clock = new FakeClock();
  readonly turns = new Turns({ burst: 3, periodMs: 100 }, this.clock);
  readonly taken: number[] = [];

  take(number: number, client = "a"): () => void {
    return this.turns.take(client, () => this.taken.push(number));
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
