import assert from "node:assert/strict";
import { readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import type { Rejection } from "../../../src/delivery/rejection.ts";
import { RejectedLines } from "../../../src/delivery/rejected-lines.ts";
import { until } from "../../support/delivery.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const TIME = "2023-11-14T22:13:20.000Z";

function rejection(reason: string, ...lines: readonly string[]): Rejection {
  return { reason, lines: lines.length, bytes: Buffer.from(lines.map((line) => `${line}\n`).join("")) };
}

async function setUp(t: TestContext, maxBytes?: number): Promise<{ directory: string; rejected: RejectedLines }> {
  const directory = path.join(await temporaryDirectory(t), "rejected");
  const size = maxBytes === undefined ? {} : { maxBytes };
  return { directory, rejected: new RejectedLines({ directory, clock: new FakeClock(), ...size }) };
}

/** Returns the numbers of kept and of lost lines. */
function counts({ stats: { keptLines, lostLines } }: RejectedLines): [number, number] {
  return [keptLines, lostLines];
}

async function records(file: string): Promise<unknown[]> {
  const text = await readFile(file, "utf8");
  return text
    .split("\n")
    .filter(Boolean)
    .map((record): unknown => JSON.parse(record));
}

/** Returns the records of a target, the oldest first. */
async function recordsOf(directory: string, target: string): Promise<unknown[]> {
  const names = (await readdir(directory)).filter((name) => name.startsWith(`${target}.`));
  const numberOf = (name: string): number => Number(name.split(".").at(-2)) || Infinity;
  const sorted = names.toSorted((one, other) => (numberOf(one) < numberOf(other) ? -1 : 1));
  return (await Promise.all(sorted.map((name) => records(path.join(directory, name))))).flat();
}

async function sizeOf(directory: string): Promise<number> {
  const sizes = (await readdir(directory)).map(async (name) => (await stat(path.join(directory, name))).size);
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
}

/** Returns the lines `m x=FROM` up to, but not including, `m x=TO`. */
function numbered(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `m x=${from + index}`);
}

function linesOf(of: readonly unknown[]): (string | undefined)[] {
  return of.map((record) => (record as { line?: string }).line);
}

test("each line has a record with time, target and reason that only the agent's user can read", async (t) => {
  const { directory, rejected } = await setUp(t);
  await rejected.write("one", [rejection("bad field", "m,a=b x=", 'm s="ü\\""'), { reason: "too old", lines: 7 }]);
  await rejected.write("two", [rejection("too large", "m x=1")]);
  await rejected.close();
  assert.deepEqual(await recordsOf(directory, "one"), [
    { time: TIME, target: "one", reason: "bad field", line: "m,a=b x=" },
    { time: TIME, target: "one", reason: "bad field", line: 'm s="ü\\""' },
    { time: TIME, target: "one", reason: "too old", lines: 7 },
  ]);
  assert.deepEqual(await recordsOf(directory, "two"), [
    { time: TIME, target: "two", reason: "too large", line: "m x=1" },
  ]);
  assert.deepEqual((await readdir(directory)).sort(), ["one.jsonl", "two.jsonl"]);
  assert.equal((await stat(path.join(directory, "one.jsonl"))).mode & 0o777, 0o600);
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
  assert.deepEqual(counts(rejected), [10, 0]);
});

test("the files have a bounded size and hold the newest lines", async (t) => {
  const { directory, rejected } = await setUp(t, 10_000);
  for (const line of numbered(0, 500)) {
    await rejected.write("one", [rejection("bad", line)]);
    assert.ok((await sizeOf(directory)) <= 10_000);
  }
  await rejected.close();
  const lines = linesOf(await recordsOf(directory, "one"));
  assert.ok(lines.length > 100);
  assert.deepEqual(lines, numbered(500 - lines.length, 500));
  assert.deepEqual(counts(rejected), [500, 0]);
});

test("a target with many rejected lines does not replace those of the others", async (t) => {
  const { directory, rejected } = await setUp(t, 20_000);
  await rejected.write("quiet", [rejection("bad", ...numbered(0, 5))]);
  for (let from = 0; from < 3_000; from += 10) {
    await rejected.write("loud", [rejection("bad", ...numbered(from, from + 10))]);
    await rejected.write("loud-too", [rejection("bad", ...numbered(from, from + 5))]);
  }
  await rejected.close();
  assert.deepEqual(linesOf(await recordsOf(directory, "quiet")), numbered(0, 5));
  const [loud, loudToo] = await Promise.all(["loud", "loud-too"].map((target) => recordsOf(directory, target)));
  assert.ok(Math.min(loud?.length ?? 0, loudToo?.length ?? 0) > 80);
  assert.ok((await sizeOf(directory)) <= 20_000);
});

test("a new target takes its share from the target with the most bytes", async (t) => {
  const { directory, rejected } = await setUp(t, 20_000);
  await rejected.write("loud", [rejection("bad", ...numbered(0, 1_000))]);
  await rejected.write("new", [rejection("bad", ...numbered(0, 90))]);
  await rejected.close();
  assert.deepEqual(linesOf(await recordsOf(directory, "new")), numbered(0, 90));
  assert.ok((await sizeOf(directory)) <= 20_000);
});

test("files of an earlier version and of removed targets count, and are deleted like others", async (t) => {
  const { directory, rejected } = await setUp(t, 20_000);
  await rejected.write("one", [rejection("bad", "m x=1")]);
  await rejected.close();
  await writeFile(path.join(directory, "rejected.jsonl"), "x".repeat(19_000));
  await writeFile(path.join(directory, "notes.txt"), "x".repeat(19_000));
  await rejected.write("one", [rejection("bad", ...numbered(0, 50))]);
  await rejected.close();
  const names = await readdir(directory);
  assert.deepEqual([names.includes("rejected.jsonl"), names.includes("notes.txt")], [false, true]);
  assert.deepEqual(linesOf(await recordsOf(directory, "one")), ["m x=1", ...numbered(0, 50)]);
});

test("a whole batch of rejected lines is kept, also if it is larger than the queue and than a file", async (t) => {
  const { directory, rejected } = await setUp(t);
  const lines = numbered(0, 9_000).map((line) => `${line}${"0".repeat(990)}`);
  await rejected.write("one", [rejection("bad", ...lines)]);
  await rejected.close();
  await until("it is written", () => rejected.stats.keptLines + rejected.stats.lostLines === lines.length);
  assert.deepEqual(linesOf(await recordsOf(directory, "one")), lines);
  assert.deepEqual(counts(rejected), [lines.length, 0]);
});

test("of more lines than were rejected the number of rejected lines is counted", async (t) => {
  const { rejected } = await setUp(t);
  const bytes = Buffer.from("m x=1\nm x=2\nm x=3\n");
  await rejected.write("one", [{ reason: "2 of these 3 lines: bad", lines: 2, bytes }]);
  await rejected.close();
  assert.deepEqual(counts(rejected), [2, 0]);
});

test("a record larger than a file is lost, and those around it are kept", async (t) => {
  const { directory, rejected } = await setUp(t, 16_000);
  await rejected.write("one", [rejection("bad", "m x=1", "x".repeat(2_000), "m x=2")]);
  await rejected.close();
  assert.deepEqual(linesOf(await recordsOf(directory, "one")), ["m x=1", "m x=2"]);
  assert.deepEqual(counts(rejected), [2, 1]);
});

test("a full disk loses the record, and the next record is written when there is space", async (t) => {
  const { directory, rejected } = await setUp(t);
  const file = path.join(directory, "one.jsonl");
  await rejected.write("one", [rejection("bad", "m x=1")]);
  await rejected.close();
  await rm(file);
  await symlink("/dev/full", file);
  await rejected.write("one", [rejection("bad", "m x=2", "m x=3")]);
  await rejected.close();
  assert.deepEqual(counts(rejected), [1, 2]);
  await rm(file);
  await rejected.write("one", [rejection("bad", "m x=4")]);
  await rejected.close();
  assert.equal((await records(file)).length, 1);
  assert.deepEqual(counts(rejected), [2, 2]);
});

test("a directory that cannot be created loses only the records", async (t) => {
  const { directory, rejected } = await setUp(t);
  await writeFile(directory, "");
  await rejected.write("one", [rejection("bad", "m x=1")]);
  await rejected.close();
  assert.deepEqual(counts(rejected), [0, 1]);
});

test("records queued for a slow disk are bounded", async (t) => {
  const { rejected } = await setUp(t);
  const large = rejection("bad", "x".repeat(1_000_000));
  for (let count = 0; count < 50; count++) void rejected.write("one", [large]);
  const { lostLines } = rejected.stats;
  assert.ok(lostLines >= 45, `${lostLines} lost`);
  await rejected.close();
  assert.deepEqual(counts(rejected), [50 - lostLines, lostLines]);
  await rejected.write("one", [large]);
  await rejected.close();
  assert.equal(rejected.stats.lostLines, lostLines);
});

test("the size includes files that an earlier process left", async (t) => {
  const { directory, rejected } = await setUp(t, 16_000);
  await rejected.close();
  assert.equal(rejected.stats.fileBytes, 0);
  for (const count of [1, 30]) {
    for (const line of numbered(0, count)) await rejected.write("one", [rejection("bad", line)]);
    await rejected.close();
    assert.equal(rejected.stats.fileBytes, await sizeOf(directory));
  }
  const next = new RejectedLines({ directory, clock: new FakeClock() });
  await next.close();
  assert.equal(next.stats.fileBytes, await sizeOf(directory));
  assert.ok(next.stats.fileBytes > 1_000);
});
