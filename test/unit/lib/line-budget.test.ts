import assert from "node:assert/strict";
import { test } from "node:test";
import { LineBudget } from "../../../src/lib/line-budget.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function fixture(limits = { perMinute: 60, perGroup: 20 }) {
  const clock = new FakeClock();
  const budget = new LineBudget({ ...limits, clock });
  /** Returns how many of these lines are allowed. */
  const write = (group: string, lines: number): number => {
    let allowed = 0;
    for (let line = 0; line < lines; line++) if (budget.allows(group)) allowed++;
    return allowed;
  };
  return { clock, budget, write };
}

test("a group gets half of its lines of a minute at once, and the others over the minute", async () => {
  const { clock, write } = fixture();
  assert.equal(write("E_A", 1_000), 10);
  let more = 0;
  for (let second = 0; second < 60; second++) {
    await clock.advance(1_000);
    more += write("E_A", 100);
  }
  assert.ok(more >= 9 && more <= 10, `${more} lines`);
});

test("all groups together get the lines of a minute, and one group leaves room for others", async () => {
  const { clock, write } = fixture();
  const groups = Array.from({ length: 6 }, (_, index) => `E_${index}`);
  let lines = 0;
  for (let second = 0; second < 60; second++) {
    for (const group of groups) lines += write(group, 50);
    await clock.advance(1_000);
  }
  assert.ok(lines >= 55 && lines <= 60 + groups.length, `${lines} lines`);
  assert.equal(write("E_OTHER", 1), 1);
});

test("the first line of each group in a minute is always allowed", async () => {
  const { clock, write } = fixture({ perMinute: 4, perGroup: 4 });
  write("E_FLOOD", 1_000);
  for (let index = 0; index < 50; index++) assert.equal(write(`E_${index}`, 5), 1);
  await clock.advance(30_000);
  write("E_FLOOD", 1_000);
  assert.equal(write("E_7", 5), 0);
  await clock.advance(30_000);
  write("E_FLOOD", 1_000);
  assert.equal(write("E_7", 5), 1);
});

test("lines that are left out are counted by group since the last report", () => {
  const { budget, write } = fixture();
  write("E_A", 15);
  write("E_B", 13);
  assert.deepEqual(
    [...budget.takeLeftOut()],
    [
      ["E_A", 5],
      ["E_B", 3],
    ],
  );
  assert.deepEqual([...budget.takeLeftOut()], []);
});

test("texts that are new each time share one group in the end", () => {
  const { budget, write } = fixture();
  let lines = 0;
  for (let index = 0; index < 100_000; index++) lines += write(`text ${index}`, 1);
  assert.ok(lines < 250, `${lines} lines`);
  assert.ok(budget.takeLeftOut().size <= 201);
});

test("a group gets its own lines again after a flood of other names", async () => {
  const { clock, budget, write } = fixture();
  for (let index = 0; index < 1_000; index++) write(`text ${index}`, 1);
  await clock.advance(60_000);
  write("E_A", 15);
  assert.deepEqual(budget.takeLeftOut().get("E_A"), 5);
});
