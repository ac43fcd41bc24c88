import assert from "node:assert/strict";
import { test } from "node:test";
import { Batcher } from "../../../src/lib/batcher.ts";

test("what is added in one turn, or while work goes on, is one piece of work", async () => {
  const pieces: (readonly number[])[] = [];
  const gates = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
  const gather = new Batcher<number>(async (items) => {
    pieces.push(items);
    await gates[pieces.length - 1]?.promise;
  });
  const first = [gather.add(1), gather.add(2)];
  await Promise.resolve();
  await Promise.resolve();
  const second = [gather.add(3), gather.add(4)];
  assert.deepEqual(pieces, [[1, 2]]);
  gates[0]?.resolve(undefined);
  await Promise.all(first);
  gates[1]?.resolve(undefined);
  await Promise.all(second);
  assert.deepEqual(pieces, [
    [1, 2],
    [3, 4],
  ]);
});

test("a piece of work that fails fails for all that is in it, and the next goes on", async () => {
  const gather = new Batcher<string>((items) =>
    items.includes("bad") ? Promise.reject(new Error("failed")) : Promise.resolve(),
  );
  const results = await Promise.allSettled([gather.add("good"), gather.add("bad")]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  await gather.add("good");
});

test("it is idle when nothing is left to do", async () => {
  let done = 0;
  const gather = new Batcher<number>(async () => {
    await new Promise((resolve) => setImmediate(resolve));
    done++;
  });
  await gather.idle();
  const added = gather.add(1);
  const later = added.then(() => gather.add(2));
  await added;
  await gather.idle();
  await later;
  assert.equal(done, 2);
});
