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

/** Lets a process append from this number on, and kills it in the middle; returns what it said to be durable. */
async function appendUntilKilled(directory: string, from: number, kills: number): Promise<number[]> {
  const child = spawn(process.execPath, [APPENDER, directory, String(from)], { stdio: ["ignore", "pipe", "inherit"] });
  const durable: number[] = [];
  const ended = new Promise((resolve) => child.once("exit", resolve));
  const lines = createInterface({ input: child.stdout });
  // The moments differ: after more or fewer frames, and within the writing of one.
  lines.on("line", (line) => {
    durable.push(Number(line));
    if (durable.length === 1 + kills * 3) void systemClock.sleep(kills % 4).then(() => child.kill("SIGKILL"));
  });
  const closed = new Promise((resolve) => lines.once("close", resolve));
  await Promise.all([ended, closed]);
  return durable;
}

test("a process that is killed forty times while it appends loses no line that it said to be durable", async (t) => {
  const directory = await memoryDirectory(t);
  const durable: number[] = [];
  for (let kills = 0; kills < KILLS; kills++) {
    const from = (durable.at(-1) ?? -1) + 1_000;
    const said = await appendUntilKilled(directory, from, kills);
    assert.ok(said.length > 0, "it was killed before it began");
    durable.push(...said);
  }
  await using bench = await SpoolBench.open(directory);
  const found = await takeAll(bench.spool.cursor("dead"));
  const distinct = new Set(found);
  const missing = durable.filter((number) => !distinct.has(number));
  assert.deepEqual(missing, []);
  assert.equal(distinct.size, found.length, "a line came twice");
  assert.deepEqual(
    found,
    found.toSorted((one, other) => one - other),
  );
  // A cursor that was saved too long ago sends again what was taken; it skips nothing.
  const live = await takeAll(bench.spool.cursor("live"));
  assert.deepEqual(live, found.slice(found.length - live.length));
  t.diagnostic(`${durable.length} lines in ${KILLS} runs, ${found.length - durable.length} more were written unsaid`);
});
