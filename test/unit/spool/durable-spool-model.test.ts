import path from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { DurableSpool } from "../../../src/spool/durable-spool.ts";
import { Comparison, operations } from "../../support/spool-model.ts";
import { memoryDirectory } from "../../support/temporary-directory.ts";

const CAPS = { maxBytes: 1 << 30, maxAgeMs: 3_600_000_000 };

for (const [what, memoryBytes] of [
  ["from memory", 1 << 20],
  ["from disk", 0],
  ["from both", 300],
] as const) {
  test(`a cursor reads each of its frames once and in order, ${what} and after a restart`, async (t) => {
    const root = await memoryDirectory(t);
    let run = 0;
    await fc.assert(
      fc.asyncProperty(operations("caps"), async (operations) => {
        const directory = path.join(root, String(run++));
        const options = { directory, caps: CAPS, memoryBytes, maxSegmentBytes: 700, minFreeShare: 0 };
        const comparison = await Comparison.of(CAPS, (clock) => DurableSpool.open({ ...options, clock }));
        for (const each of operations) {
          await comparison.do(each);
          comparison.agree();
        }
        await comparison.spool.close();
      }),
      { numRuns: 60 },
    );
  });
}
