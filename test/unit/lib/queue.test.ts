import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Queue } from "../../../src/lib/queue.ts";

test("a queue does what an array does with push and shift", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { size: "large" }), (pushes) => {
      const fifo = new Queue<{ readonly number: number }>();
      const array: { readonly number: number }[] = [];
      for (const [number, push] of pushes.entries()) {
        if (push) {
          fifo.push({ number });
          array.push({ number });
        } else assert.deepEqual(fifo.shift(), array.shift());
        assert.equal(fifo.length, array.length);
        assert.deepEqual([fifo.first, fifo.last], [array[0], array.at(-1)]);
        assert.deepEqual([...fifo], array);
        const isNew = ({ number }: { readonly number: number }): boolean => number % 3 !== 0;
        assert.deepEqual(fifo.lastWhile(isNew), array.slice(array.findLastIndex((item) => !isNew(item)) + 1));
      }
    }),
  );
});
