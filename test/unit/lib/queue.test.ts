import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Queue } from "../../../src/lib/queue.ts";

test("a queue behaves like an array with push and shift", () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { size: "large" }), (pushes) => {
      const queue = new Queue<{ readonly number: number }>();
      const array: { readonly number: number }[] = [];
      for (const [number, push] of pushes.entries()) {
        if (push) {
          queue.push({ number });
          array.push({ number });
        } else assert.deepEqual(queue.shift(), array.shift());
        assert.equal(queue.length, array.length);
        assert.deepEqual(queue.first, array[0]);
        assert.deepEqual([...queue], array);
        const isNew = ({ number }: { readonly number: number }): boolean => number % 3 !== 0;
        assert.deepEqual(queue.lastWhile(isNew), array.slice(array.findLastIndex((item) => !isNew(item)) + 1));
      }
    }),
  );
});
