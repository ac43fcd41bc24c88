// Spool directories with files that no agent has written.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { mkdir, open, readdir, stat, symlink, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout } from "node:timers/promises";
import { systemClock } from "../../../src/lib/clock.ts";
import { encodePreamble } from "../../../src/spool/frame-format.ts";
import { recover } from "../../../src/spool/recovery.ts";
import { until } from "../../support/delivery.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { appendNumber, MAIN, SpoolBench, takeAll } from "../../support/spool-bench.ts";
import { memoryDirectory } from "../../support/temporary-directory.ts";

const MANY = 17_000;

/** Returns a spool directory with three lines for the target `a`. */
async function leftSpool(t: TestContext): Promise<string> {
  const root = await memoryDirectory(t);
  await using bench = await SpoolBench.open(root);
  bench.spool.cursor("a");
  for (const number of [1, 2, 3]) await appendNumber(bench.spool, number);
  return root;
}

function segment(root: string, number: number | string): string {
  return path.join(root, MAIN, `${String(number).padStart(20, "0")}.seg`);
}

/** Opens the spool again, and returns what target `a` gets, in order of numbers. */
async function restart(root: string): Promise<{ numbers: number[]; events: readonly string[] }> {
  const clock = new FakeClock();
  await using bench = await SpoolBench.open(root, { clock });
  const cursor = bench.spool.cursor("a");
  const numbers = new Set<number>();
  await appendNumber(bench.spool, 4);
  // A directory that is read in parts is taken over in the maintenance of the next seconds.
  await until("all lines are delivered", async () => {
    for (const number of await takeAll(cursor)) numbers.add(number);
    await clock.advance(5_000);
    return numbers.size >= 4;
  });
  return { numbers: [...numbers].sort(), events: bench.notes.events };
}

test("tens of thousands of segment files neither stop the start nor hide the lines in one", async (t) => {
  const root = await leftSpool(t);
  for (let number = 0; number < MANY; number++) writeFileSync(segment(root, 1_000 + number), encodePreamble());
  const part = await recover(path.join(root, MAIN), systemClock);
  assert.equal(part.complete, false);
  assert.ok(part.segments.length + part.consumed.length < MANY);
  const { numbers, events } = await restart(root);
  assert.deepEqual(numbers, [1, 2, 3, 4]);
  assert.ok(events.includes("found E_SPOOL_DAMAGED"), String(events));
});

test("lines behind tens of thousands of foreign segment files are delivered", async (t) => {
  const root = await memoryDirectory(t);
  await mkdir(path.join(root, MAIN));
  for (let number = 0; number < MANY; number++) writeFileSync(segment(root, number), "");
  {
    // The sequence numbers continue behind the files.
    await using bench = await SpoolBench.open(root);
    bench.spool.cursor("a");
    for (const number of [1, 2, 3]) await appendNumber(bench.spool, number);
  }
  assert.deepEqual((await restart(root)).numbers, [1, 2, 3, 4]);
});

test("tens of thousands of segment files of a newer version are read once, not at each check", async (t) => {
  const root = await memoryDirectory(t);
  await mkdir(path.join(root, MAIN));
  for (let number = 0; number < MANY; number++) writeFileSync(segment(root, number), encodePreamble(2));
  const clock = new FakeClock();
  await using bench = await SpoolBench.open(root, { clock });
  const changedMs = async (): Promise<number> => (await stat(path.join(root, MAIN))).mtimeMs;
  const isLocked = async (): Promise<boolean> => (await readdir(path.join(root, MAIN))).includes("lock");
  const opened = await changedMs();
  await clock.advance(5_000);
  // A takeover locks the directory, and unlocks it at its end.
  await until("the directory is read", async () => (await changedMs()) !== opened && !(await isLocked()));
  const readOnce = await changedMs();
  await clock.advance(5_000);
  await setTimeout(500);
  assert.equal(await changedMs(), readOnce);
  assert.deepEqual(bench.notes.events, ["found E_SPOOL_DAMAGED", "found E_SPOOL_NEWER"]);
});

test("other names, any number of them, cost nothing", async (t) => {
  const root = await leftSpool(t);
  for (let number = 0; number < MANY; number++) {
    writeFileSync(path.join(root, MAIN, `core.${number}`), "");
    if (number % 20 === 0) mkdirSync(path.join(root, `v1-${(0x100000 + number).toString(16)}`));
  }
  assert.deepEqual((await restart(root)).numbers, [1, 2, 3, 4]);
});

test("a sparse file of a terabyte is searched for a bounded time and cut", async (t) => {
  const root = await leftSpool(t);
  await writeFile(segment(root, 1_000), encodePreamble());
  await truncate(segment(root, 1_000), 2 ** 40).catch(() => truncate(segment(root, 1_000), 2 ** 34));
  const { numbers, events } = await restart(root);
  assert.deepEqual(numbers, [1, 2, 3, 4]);
  assert.deepEqual(events, []);
});

test("many sparse files are read in parts", async (t) => {
  const root = await leftSpool(t);
  for (let number = 0; number < 10; number++) {
    await writeFile(segment(root, 1_000 + number), encodePreamble());
    await truncate(segment(root, 1_000 + number), 2 ** 34);
  }
  const part = await recover(path.join(root, MAIN), systemClock);
  assert.equal(part.complete, false);
  assert.deepEqual((await restart(root)).numbers, [1, 2, 3, 4]);
});

test("pipes, directories and devices with the names of the spool do not block it", async (t) => {
  const root = await leftSpool(t);
  execFileSync("mkfifo", [segment(root, 1_000), path.join(root, MAIN, "cursors.json.tmp2")]);
  await mkdir(segment(root, 1_001));
  await symlink("/dev/zero", segment(root, 1_002));
  const { numbers, events } = await restart(root);
  assert.deepEqual(numbers, [1, 2, 3, 4]);
  assert.ok(events.includes("found E_SPOOL_NEWER"), String(events));
});

test("a pipe or an endless file in place of the positions or the lock does not block the start", async (t) => {
  const root = await leftSpool(t);
  const directory = path.join(root, MAIN);
  execFileSync("rm", ["-f", path.join(directory, "cursors.json"), path.join(directory, "lock")]);
  execFileSync("mkfifo", [path.join(directory, "cursors.json")]);
  await symlink("/dev/zero", path.join(directory, "lock"));
  await using bench = await SpoolBench.open(root);
  bench.spool.cursor("a");
  await appendNumber(bench.spool, 4);
  assert.deepEqual(await takeAll(bench.spool.cursor("a")), [4]);
  assert.ok((await readdir(root)).length > 1);
});

test("a file with the last sequence number does not stop new lines", async (t) => {
  const root = await leftSpool(t);
  for (const name of ["18446744073709551615", "99999999999999999999"])
    await (await open(segment(root, name), "w")).close();
  const cursors = { version: 1, cursors: { b: "18446744073709551615", c: "9".repeat(100_000), d: 7 } };
  await writeFile(path.join(root, MAIN, "cursors.json"), JSON.stringify(cursors));
  const { numbers, events } = await restart(root);
  assert.deepEqual(numbers, [1, 2, 3, 4]);
  assert.deepEqual(events, []);
});
