import assert from "node:assert/strict";
import { readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import type { Rejection } from "../../../src/delivery/rejection.ts";
import { RejectedLines } from "../../../src/delivery/rejected-lines.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const TIME = "2023-11-14T22:13:20.000Z";

function rejection(reason: string, ...lines: readonly string[]): Rejection {
  return { reason, lines: lines.length, bytes: Buffer.from(lines.map((line) => `${line}\n`).join("")) };
}

async function setUp(t: TestContext, maxFileBytes?: number): Promise<{ directory: string; rejected: RejectedLines }> {
  const directory = path.join(await temporaryDirectory(t), "rejected");
  const size = maxFileBytes === undefined ? {} : { maxFileBytes };
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

test("each line has a record with time, target and reason that only the agent's user can read", async (t) => {
  const { directory, rejected } = await setUp(t);
  await rejected.write("one", [rejection("bad field", "m,a=b x=", 'm s="ü\\""'), { reason: "too old", lines: 7 }]);
  await rejected.write("two", [rejection("too large", "m x=1")]);
  await rejected.close();
  const file = path.join(directory, "rejected.jsonl");
  assert.deepEqual(await records(file), [
    { time: TIME, target: "one", reason: "bad field", line: "m,a=b x=" },
    { time: TIME, target: "one", reason: "bad field", line: 'm s="ü\\""' },
    { time: TIME, target: "one", reason: "too old", lines: 7 },
    { time: TIME, target: "two", reason: "too large", line: "m x=1" },
  ]);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
  assert.deepEqual(counts(rejected), [10, 0]);
});

test("two files of bounded size hold the newest lines", async (t) => {
  const { directory, rejected } = await setUp(t, 1_000);
  for (let number = 0; number < 100; number++) await rejected.write("one", [rejection("bad", `m x=${number}`)]);
  await rejected.close();
  const names = (await readdir(directory)).sort();
  assert.deepEqual(names, ["rejected.1.jsonl", "rejected.jsonl"]);
  const kept: unknown[] = [];
  for (const name of names) {
    const file = path.join(directory, name);
    assert.ok((await stat(file)).size <= 1_000);
    kept.push(...(await records(file)));
  }
  const lines = kept.map((record) => (record as { line: string }).line);
  assert.ok(lines.length > 10);
  assert.deepEqual(
    lines,
    lines.map((_, index) => `m x=${100 - lines.length + index}`),
  );
});

test("a record larger than a file is lost", async (t) => {
  const { directory, rejected } = await setUp(t, 1_000);
  await rejected.write("one", [rejection("bad", "x".repeat(2_000))]);
  await rejected.write("one", [rejection("bad", "m x=1")]);
  await rejected.close();
  assert.equal((await records(path.join(directory, "rejected.jsonl"))).length, 1);
  assert.deepEqual(counts(rejected), [1, 1]);
});

test("a full disk loses the record, and the next record is written when there is space", async (t) => {
  const { directory, rejected } = await setUp(t);
  const file = path.join(directory, "rejected.jsonl");
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
  const large = rejection("bad", "x".repeat(1 << 20));
  for (let count = 0; count < 50; count++) void rejected.write("one", [large]);
  const { lostLines } = rejected.stats;
  assert.ok(lostLines >= 46, `${lostLines} lost`);
  await rejected.close();
  assert.deepEqual(counts(rejected), [50 - lostLines, lostLines]);
  await rejected.write("one", [large]);
  await rejected.close();
  assert.equal(rejected.stats.lostLines, lostLines);
});

test("the size includes files that an earlier process left", async (t) => {
  const { directory, rejected } = await setUp(t, 1_000);
  const sizes = async (): Promise<number> => {
    const all = await Promise.all((await readdir(directory)).map((name) => stat(path.join(directory, name))));
    return all.reduce((sum, { size }) => sum + size, 0);
  };
  await rejected.close();
  assert.equal(rejected.stats.fileBytes, 0);
  for (const count of [1, 30]) {
    for (let number = 0; number < count; number++) await rejected.write("one", [rejection("bad", `m x=${number}`)]);
    await rejected.close();
    assert.equal(rejected.stats.fileBytes, await sizes());
  }
  const next = new RejectedLines({ directory, clock: new FakeClock() });
  await next.close();
  assert.equal(next.stats.fileBytes, await sizes());
  assert.ok(next.stats.fileBytes > 1_000);
});
