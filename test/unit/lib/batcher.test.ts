import assert from "node:assert/strict";
import { test } from "node:test";
import { Batcher } from "../../../src/lib/batcher.ts";

test("items that are added in one turn, or during a batch, are one batch", async () => {
  const batches: (readonly number[])[] = [];
  const gates = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
  const batcher = new Batcher<number>(async (items) => {
    batches.push(items);
    await gates[batches.length - 1]?.promise;
  });
  const first = [batcher.add(1), batcher.add(2)];
  await Promise.resolve();
  await Promise.resolve();
  const second = [batcher.add(3), batcher.add(4)];
  assert.deepEqual(batches, [[1, 2]]);
  gates[0]?.resolve(undefined);
  await Promise.all(first);
  gates[1]?.resolve(undefined);
  await Promise.all(second);
  assert.deepEqual(batches, [
    [1, 2],
    [3, 4],
  ]);
});

test("a batch that fails rejects all its items, and the next batch is processed", async () => {
  const batcher = new Batcher<string>((items) =>
    items.includes("bad") ? Promise.reject(new Error("failed")) : Promise.resolve(),
  );
  const results = await Promise.allSettled([batcher.add("good"), batcher.add("bad")]);
  assert.deepEqual(
    results.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  assert.deepEqual(await Promise.allSettled([batcher.add("good")]), [{ status: "fulfilled", value: undefined }]);
});

test("idle resolves when every batch has been processed", async () => {
  let done = 0;
  const batcher = new Batcher<number>(async () => {
    await new Promise((resolve) => setImmediate(resolve));
    done++;
  });
  await batcher.idle();
  const added = batcher.add(1);
  const later = added.then(() => batcher.add(2));
  await added;
  await batcher.idle();
  await later;
  assert.equal(done, 2);
});
