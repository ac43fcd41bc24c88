import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { DurableSpool } from "../../../src/spool/durable-spool.ts";
import { MemorySpool } from "../../../src/spool/memory-spool.ts";
import type { Spool, SpoolCursor } from "../../../src/spool/spool.ts";
import { batchOf, until } from "../../support/delivery.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { ALL, HUGE } from "../../support/spool-bench.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

type Open = (clock: FakeClock, t: TestContext) => Promise<Spool>;

const SPOOLS: Readonly<Record<string, Open>> = {
  "in memory": (clock) => Promise.resolve(new MemorySpool(HUGE, clock)),
  "on disk": async (clock, t) => {
    const directory = await temporaryDirectory(t);
    return DurableSpool.open({ directory, clock, caps: HUGE, minFreeShare: 0, maxSegmentBytes: 1 });
  },
};

/** Waits for a number of lost lines: a durable spool enforces caps when the disk is free. */
async function lost(spool: Spool, lines: number): Promise<void> {
  await until(`${lines} lines are lost`, () => spool.stats.droppedLines >= lines);
}

function counts({ droppedLines, losses }: Pick<SpoolCursor, "droppedLines" | "losses">): object {
  return { droppedLines, cap: losses.cap, age: losses.age, others: losses.disk + losses.corrupt };
}

for (const [where, open] of Object.entries(SPOOLS)) {
  test(`${where}, a dropped line counts once for each target that still needed it, by reason`, async (t) => {
    const clock = new FakeClock();
    const spool = await open(clock, t);
    const [a, b] = [spool.cursor("a"), spool.cursor("b")];
    await spool.append(batchOf(1));
    const [frame] = await a.read(ALL);
    a.acknowledge(frame?.sequence ?? -1n);
    await spool.append(batchOf(2));
    await spool.append(batchOf(4), ["b"]);
    spool.caps = { ...HUGE, maxBytes: 0 };
    await lost(spool, 9);
    spool.caps = { ...HUGE, maxAgeMs: 1_000 };
    await spool.append(batchOf(8));
    await clock.advance(2_000);
    await a.read(ALL);
    await lost(spool, 25);
    assert.deepEqual(counts(a), { droppedLines: 10, cap: 2, age: 8, others: 0 });
    assert.deepEqual(counts(b), { droppedLines: 15, cap: 7, age: 8, others: 0 });
    assert.deepEqual(counts(spool.stats), { droppedLines: 25, cap: 9, age: 16, others: 0 });
    assert.deepEqual([a.backlog.lines, b.backlog.lines], [0, 0]);
    await spool.close();
  });
}
