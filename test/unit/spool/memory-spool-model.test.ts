import { test } from "node:test";
import fc from "fast-check";
import { MemorySpool } from "../../../src/spool/memory-spool.ts";
import { Comparison, operations } from "../../support/spool-model.ts";

const CAPS = { maxBytes: 600, maxAgeMs: 2_000 };

test("a cursor reads each of its frames once and in order, unless a cap dropped and counted it", async () => {
  await fc.assert(
    fc.asyncProperty(operations("restart"), async (operations) => {
      const comparison = await Comparison.of(CAPS, (clock) => Promise.resolve(new MemorySpool(CAPS, clock)));
      for (const each of operations) {
        await comparison.do(each);
        comparison.agree();
        comparison.agreeOnTheWhole();
      }
    }),
  );
});
