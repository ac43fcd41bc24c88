import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { systemClock } from "../../src/lib/clock.ts";
import { SpoolBench, takeAll } from "../support/spool-bench.ts";
import { memoryDirectory } from "../support/temporary-directory.ts";

const KILLS = 40;
const APPENDER = path.join(import.meta.dirname, "../support/spool-appender.ts");

/** Runs a process that appends numbers from `from` on, and kills it; resolves to the numbers that it reported as durable. */
async function appendUntilKilled(directory: string, from: number, kills: number): Promise<number[]> {
  const child = spawn(process.execPath, [APPENDER, directory, String(from)], { stdio: ["ignore", "pipe", "inherit"] });
  const durable: number[] = [];
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const lines = createInterface({ input: child.stdout });
  // Each kill is at another moment: after another number of frames, and within a write.
  lines.on("line", (line) => {
    durable.push(Number(line));
    if (durable.length === 1 + kills * 3) void systemClock.sleep(kills % 4).then(() => child.kill("SIGKILL"));
  });
  const closed = new Promise((resolve) => lines.once("close", resolve));
  await Promise.all([ended, closed]);
  return durable;
}

test("a process that is killed forty times during appends loses no durable line", async (t) => {
  const directory = await memoryDirectory(t);
  const durable: number[] = [];
  for (let kills = 0; kills < KILLS; kills++) {
    const from = (durable.at(-1) ?? -1) + 1_000;
    const reported = await appendUntilKilled(directory, from, kills);
    assert.ok(reported.length > 0, "it was killed before the first append");
    durable.push(...reported);
  }
  await using bench = await SpoolBench.open(directory);
  const found = await takeAll(bench.spool.cursor("dead"));
  const distinct = new Set(found);
  const missing = durable.filter((number) => !distinct.has(number));
  assert.deepEqual(missing, []);
  assert.equal(distinct.size, found.length, "a line was read twice");
  assert.deepEqual(
    found,
    found.toSorted((one, other) => one - other),
  );
  // A stale cursor file causes lines to be read again, and none to be skipped.
  const live = await takeAll(bench.spool.cursor("live"));
  assert.deepEqual(live, found.slice(found.length - live.length));
  t.diagnostic(
    `${durable.length} lines in ${KILLS} runs, ${found.length - durable.length} more were durable but not reported`,
  );
});
