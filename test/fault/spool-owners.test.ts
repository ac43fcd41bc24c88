import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { systemClock } from "../../src/lib/clock.ts";
import { encodePreamble } from "../../src/spool/frame-format.ts";
import { thisProcess, type LockOwner } from "../../src/spool/lock.ts";
import { until } from "../support/delivery.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { FaultyDisk } from "../support/faulty-disk.ts";
import { appendNumber, contentOf, MAIN, numbersOf, SpoolBench, takeAll } from "../support/spool-bench.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/** A process in another pod: whether it runs is unknown. */
const OTHER_POD: LockOwner = { ...thisProcess("other-pod"), pidNamespace: "pid:[1]" };

/** Appends lines in the primary directory, and leaves its lock with this owner. Target b has acknowledged the first line. */
async function leftBy(directory: string, lockOwner: LockOwner, numbers: readonly number[]): Promise<void> {
  {
    await using bench = await SpoolBench.open(directory);
    for (const target of ["a", "b"]) bench.spool.cursor(target);
    for (const number of numbers) await appendNumber(bench.spool, number);
    const [first] = await bench.spool.cursor("b").read({ maxLines: 1, maxRawBytes: 1 });
    bench.spool.cursor("b").acknowledge(first?.sequence ?? 0n);
  }
  await writeFile(path.join(directory, MAIN, "lock"), JSON.stringify(lockOwner));
}

async function deadProcess(): Promise<LockOwner> {
  const child = spawn(process.execPath, ["-e", ""]);
  const pid = child.pid ?? 0;
  await new Promise((resolve) => child.once("exit", resolve));
  return { ...thisProcess(), pid, startTime: "1" };
}

test("the directory of a process that is certainly dead is used at once", async (t) => {
  const lockOwners: readonly (readonly [string, LockOwner])[] = [
    ["a process of this host", await deadProcess()],
    ["a pid that another process has now", { ...thisProcess(), startTime: "1" }],
    ["an earlier boot", { ...OTHER_POD, boot: "another" }],
    ["an earlier container of the same pod", { ...OTHER_POD, owner: "this-pod" }],
  ];
  for (const [what, lockOwner] of lockOwners) {
    const directory = await temporaryDirectory(t);
    await leftBy(directory, lockOwner, [1, 2]);
    await using bench = await SpoolBench.open(directory, { owner: "this-pod" });
    assert.deepEqual(bench.notes.events, [], what);
    assert.deepEqual(await takeAll(bench.spool.cursor("a")), [1, 2], what);
    assert.deepEqual(await readdir(directory), [MAIN]);
  }
});

test("a second writer uses its own directory, and takes over that of the first when it ends", async (t) => {
  const directory = await temporaryDirectory(t);
  const clock = new FakeClock();
  const first = await SpoolBench.open(directory);
  first.spool.cursor("a");
  await appendNumber(first.spool, 1);
  {
    await using second = await SpoolBench.open(directory, { clock });
    assert.deepEqual(second.notes.events, ["found E_SPOOL_LOCKED"]);
    const cursor = second.spool.cursor("a");
    await appendNumber(second.spool, 10);
    await appendNumber(first.spool, 2);
    assert.equal((await readdir(directory)).length, 2);
    await clock.advance(600_000);
    assert.deepEqual(await numbersOf(cursor), [10]);
    await first.spool.close();
    await advanceUntil(clock, "the directory is taken over", () => second.notes.events.at(-1) === "taken over 2");
    assert.deepEqual(await takeAll(cursor), [10, 1, 2]);
    await appendNumber(second.spool, 11);
  }
  // The third writer uses the primary directory, and takes over that of the second.
  const later = new FakeClock();
  await using third = await SpoolBench.open(directory, { clock: later });
  const cursor = third.spool.cursor("a");
  await advanceUntil(later, "the directory is taken over", () => third.notes.events.at(-1) === "taken over 1");
  assert.deepEqual(await takeAll(cursor), [11]);
  await until("its directory is deleted", () => readdirSync(directory).join() === MAIN);
});

test("a lock of an unknown owner is stale after a minute without a heartbeat", async (t) => {
  const directory = await temporaryDirectory(t);
  await leftBy(directory, OTHER_POD, [1, 2, 3]);
  const clock = new FakeClock();
  await using bench = await SpoolBench.open(directory, { clock, owner: "this-pod" });
  const [a, b] = [bench.spool.cursor("a"), bench.spool.cursor("b")];
  await appendNumber(bench.spool, 10);
  await advance(clock, 55_000);
  assert.deepEqual(await numbersOf(a), [10]);
  await advanceUntil(clock, "the directory is taken over", () => bench.notes.events.at(-1) === "taken over 3");
  // Each target reads what it had not acknowledged. Frames of a takeover come after new ones.
  assert.deepEqual(
    [await takeAll(a), await takeAll(b)],
    [
      [10, 1, 2, 3],
      [10, 2, 3],
    ],
  );
  await until("its directory is deleted", () => !existsSync(path.join(directory, MAIN)));
});

test("a directory whose lock has a heartbeat is not taken over", async (t) => {
  const directory = await temporaryDirectory(t);
  await leftBy(directory, OTHER_POD, [1]);
  const clock = new FakeClock();
  await using bench = await SpoolBench.open(directory, { clock });
  bench.spool.cursor("a");
  for (let minute = 0; minute < 5; minute++) {
    await advance(clock, 55_000);
    await writeFile(path.join(directory, MAIN, "lock"), JSON.stringify(OTHER_POD));
  }
  assert.deepEqual(bench.notes.events, ["found E_SPOOL_LOCKED"]);
});

test("an agent whose lock was replaced while it hung leaves the directory to the other agent", async (t) => {
  const directory = await temporaryDirectory(t);
  const clock = new FakeClock();
  await using bench = await SpoolBench.open(directory, { clock, owner: "this-pod" });
  const cursor = bench.spool.cursor("a");
  await appendNumber(bench.spool, 1);
  await advance(clock, 5_000);
  const main = path.join(directory, MAIN);
  await replaceLock(main);
  clock.block(60_000);
  await advanceUntil(clock, "the agent notices it", () => bench.notes.events.length > 0);
  assert.deepEqual(bench.notes.events, ["found E_SPOOL_LOCKED"]);
  await appendNumber(bench.spool, 2);
  const segments = (await readdir(main)).filter((name) => name.endsWith(".seg"));
  assert.deepEqual([segments.length, (await readdir(directory)).length], [1, 2]);
  assert.deepEqual([await takeAll(cursor), cursor.losses.disk], [[2], 1]);
});

/** Puts the lock of another pod in place of a lock, as an agent does for which it is stale. */
async function replaceLock(directory: string): Promise<void> {
  await writeFile(path.join(directory, "claim"), JSON.stringify(OTHER_POD));
  await rename(path.join(directory, "claim"), path.join(directory, "lock"));
}

test("a takeover respects the caps, and counts what it drops", async (t) => {
  const directory = await temporaryDirectory(t);
  await leftBy(directory, await deadProcess(), [1, 2, 3]);
  await rename(path.join(directory, MAIN), path.join(directory, "v1-0badcafe"));
  const clock = new FakeClock();
  const caps = { maxBytes: 150, maxAgeMs: 3_600_000_000 };
  await using bench = await SpoolBench.open(directory, { clock, caps });
  const [a, b] = [bench.spool.cursor("a"), bench.spool.cursor("b")];
  await advanceUntil(clock, "the lines are dropped", () => bench.notes.events.length > 0);
  assert.deepEqual([a.losses.cap, b.losses.cap], [3, 2]);
  await until("its directory is deleted", () => readdirSync(directory).join() === MAIN);
});

test("a takeover waits until the disk accepts the lines", async (t) => {
  const directory = await temporaryDirectory(t);
  await leftBy(directory, await deadProcess(), [1, 2, 3]);
  await rename(path.join(directory, MAIN), path.join(directory, "v1-0badcafe"));
  const disk = new FaultyDisk();
  disk.errors.open = "EIO";
  const clock = new FakeClock();
  await using bench = await SpoolBench.open(directory, { clock, openFile: disk.open });
  const cursor = bench.spool.cursor("a");
  await advanceUntil(clock, "the takeover has begun", () => cursor.backlog.frames > 0);
  await advance(clock, 5_000);
  assert.ok((await readdir(path.join(directory, "v1-0badcafe"))).some((name) => name.endsWith(".seg")));
  disk.errors.open = undefined;
  await advanceUntil(clock, "the directory is taken over", () => bench.notes.events.at(-1) === "taken over 3");
  assert.deepEqual(new Set(await takeAll(cursor)), new Set([1, 2, 3]));
});

test("after a downgrade, files of the newer version are reported and kept, others delivered", async (t) => {
  const directory = await temporaryDirectory(t);
  await leftBy(directory, await deadProcess(), [1, 2]);
  const newer = path.join(directory, MAIN, "00000000000000000005.seg");
  const whole = path.join(directory, "v2");
  await mkdir(whole);
  const content = Buffer.concat([encodePreamble(2), Buffer.from("a frame of the newer version")]);
  await writeFile(newer, content);
  await writeFile(path.join(whole, "segment"), content);
  const cursors = await readFile(path.join(directory, MAIN, "cursors.json"));
  for (let start = 0; start < 2; start++) {
    const clock = new FakeClock();
    await using bench = await SpoolBench.open(directory, { clock });
    const [a, b] = [bench.spool.cursor("a"), bench.spool.cursor("b")];
    assert.deepEqual(bench.notes.events, ["found E_SPOOL_NEWER"]);
    assert.equal(bench.spool.stats.disk.unsupportedFiles, 2);
    await appendNumber(bench.spool, 10);
    if (start === 0) await advanceUntil(clock, "the directory is taken over", () => bench.notes.events.length === 2);
    else await advance(clock, 20_000);
    assert.deepEqual(await takeAll(a), start === 0 ? [10, 1, 2] : [10]);
    assert.deepEqual(await takeAll(b), start === 0 ? [10, 2] : [10]);
    assert.equal(bench.notes.events.length, start === 0 ? 2 : 1);
  }
  const left = await contentOf(path.join(directory, MAIN));
  assert.deepEqual(
    left,
    new Map([
      ["00000000000000000005.seg", content],
      ["cursors.json", cursors],
    ]),
  );
  assert.deepEqual(await readFile(path.join(whole, "segment")), content);
  assert.deepEqual(await readdir(directory), [MAIN, "v2"]);
});

test("lines for a target that is not configured are kept until a cap drops them", async (t) => {
  const directory = await temporaryDirectory(t);
  await leftBy(directory, await deadProcess(), [1, 2]);
  {
    await using bench = await SpoolBench.open(directory);
    assert.deepEqual(await takeAll(bench.spool.cursor("b")), [2]);
    assert.equal(bench.spool.stats.disk.orphanedLines, 2);
    await appendNumber(bench.spool, 3);
  }
  {
    await using bench = await SpoolBench.open(directory);
    assert.deepEqual(await takeAll(bench.spool.cursor("a")), [1, 2]);
    assert.equal(bench.spool.stats.disk.orphanedLines, 1);
    bench.spool.caps = { maxBytes: 10, maxAgeMs: 1_000 };
    await until("the cap is applied", () => bench.spool.stats.losses.cap === 1);
  }
});

test("a target that is removed and added again begins without a backlog, also after a restart", async (t) => {
  const directory = await temporaryDirectory(t);
  {
    await using bench = await SpoolBench.open(directory);
    for (const target of ["a", "b"]) bench.spool.cursor(target);
    await appendNumber(bench.spool, 1);
    bench.spool.removeCursor("a");
    await appendNumber(bench.spool, 2);
  }
  await using bench = await SpoolBench.open(directory);
  const [a, b] = [bench.spool.cursor("a"), bench.spool.cursor("b")];
  await appendNumber(bench.spool, 3);
  assert.deepEqual([await takeAll(a), await takeAll(b)], [[3], [1, 2, 3]]);
});

test("an agent that ends deletes its lock and its extra directory", async (t) => {
  const directory = await temporaryDirectory(t);
  {
    await using first = await SpoolBench.open(directory);
    first.spool.cursor("a");
    await using second = await SpoolBench.open(directory);
    second.spool.cursor("a");
    await appendNumber(second.spool, 1);
    await takeAll(second.spool.cursor("a"));
  }
  assert.deepEqual(await readdir(directory), [MAIN]);
  assert.ok(!(await readdir(path.join(directory, MAIN))).includes("lock"));
  await rm(directory, { recursive: true });
});

/** Advances in steps of the spool's maintenance, with real time for its file operations in between. */
async function advance(clock: FakeClock, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 5_000) {
    await clock.advance(5_000);
    await systemClock.sleep(5);
  }
}

/**
 * Advances until the condition holds. Each step leaves real time for a takeover: if the clock runs faster than the disk, the
 * spool takes the disk for hung.
 */
async function advanceUntil(clock: FakeClock, what: string, holds: () => boolean): Promise<void> {
  for (let steps = 0; steps < 200 && !holds(); steps++) {
    await clock.advance(5_000);
    for (let turn = 0; turn < 100 && !holds(); turn++) await systemClock.sleep(3);
  }
  assert.ok(holds(), what);
}
