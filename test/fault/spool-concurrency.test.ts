import assert from "node:assert/strict";
import path from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { systemClock } from "../../src/lib/clock.ts";
import { expandFrame } from "../../src/spool/gzip-member.ts";
import type { SpoolCursor } from "../../src/spool/spool.ts";
import { appendNumber, HUGE, SpoolBench } from "../support/spool-bench.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const APPENDED = 150;

/** Reads and acknowledges at most `maxLines` lines at a time, until `isOver` and the backlog is empty. */
async function deliver(cursor: SpoolCursor, maxLines: number, isOver: () => boolean): Promise<number[]> {
  const taken: number[] = [];
  while (!isOver() || cursor.backlog.frames > 0) {
    await cursor.ready(AbortSignal.timeout(20));
    const frames = await cursor.read({ maxLines, maxRawBytes: Infinity });
    for (const { sequence } of frames.slice(-1)) cursor.acknowledge(sequence);
    for (const frame of frames)
      taken.push(Number(/f=(\d+)i/.exec(Buffer.from(await expandFrame(frame)).toString())?.[1]));
    // A slow target falls behind the frames in memory, and a cap may drop its frames.
    if (maxLines === 1) await systemClock.sleep(1);
  }
  return taken;
}

test("with concurrent appends and reads, each line is read once and in order, or counted as lost", async (t) => {
  const root = await temporaryDirectory(t);
  let run = 0;
  const sizes = fc.record({
    memoryBytes: fc.constantFrom(0, 200, 2_000),
    maxSegmentBytes: fc.constantFrom(100, 500, 3_000),
    maxBytes: fc.constantFrom(1_000, 5_000, 1 << 30),
    burst: fc.integer({ min: 1, max: 10 }),
  });
  await fc.assert(
    fc.asyncProperty(sizes, async ({ memoryBytes, maxSegmentBytes, maxBytes, burst }) => {
      const options = { memoryBytes, maxSegmentBytes, caps: { ...HUGE, maxBytes } };
      await using bench = await SpoolBench.open(path.join(root, String(run++)), options);
      const cursors = ["quick", "slow"].map((name) => bench.spool.cursor(name));
      let over = false;
      const delivered = Promise.all(cursors.map((cursor, slow) => deliver(cursor, slow ? 1 : 20, () => over)));
      for (let number = 0; number < APPENDED; number += burst) {
        const numbers = Array.from({ length: Math.min(burst, APPENDED - number) }, (_, index) => number + index);
        await Promise.all(numbers.map((each) => appendNumber(bench.spool, each)));
      }
      over = true;
      for (const [index, taken] of (await delivered).entries()) {
        const lost = cursors[index]?.droppedLines ?? 0;
        assert.deepEqual(
          taken,
          [...new Set(taken)].sort((one, other) => one - other),
        );
        assert.ok(
          APPENDED - taken.length <= lost,
          `${APPENDED - taken.length} lines are missing, ${lost} are counted as lost`,
        );
        assert.equal(cursors[index]?.losses.corrupt, 0);
        if (maxBytes === 1 << 30) assert.deepEqual([taken.length, lost], [APPENDED, 0]);
      }
    }),
    { numRuns: 15 },
  );
});
