import assert from "node:assert/strict";
import { readdir, stat, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { isAlive, readLock, SpoolLock, thisProcess } from "../../../src/spool/lock.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const me = thisProcess();
const elsewhere = { ...me, pidNamespace: "pid:[1]" };

test("whether a holder lives is told by the machine, the process or the pod, if by any", () => {
  const cases: readonly (readonly [string, Partial<typeof me>, string, boolean | "unknown"])[] = [
    ["this very process", {}, "", true],
    ["another process with the same number", { startTime: "1" }, "", false],
    ["no process", { pid: 2 ** 22 + 1 }, "", false],
    ["before a reboot", { boot: "another" }, "", false],
    ["another container", { pidNamespace: "pid:[1]" }, "", "unknown"],
    ["another pod", { pidNamespace: "pid:[1]", owner: "pod-a" }, "pod-b", "unknown"],
    ["this pod, an earlier container", { pidNamespace: "pid:[1]", owner: "pod-a" }, "pod-a", false],
    ["this pod, a process beside", { owner: "pod-a" }, "pod-a", true],
    ["a system that tells nothing", { boot: "", pidNamespace: "" }, "", "unknown"],
  ];
  for (const [what, change, owner, alive] of cases)
    assert.equal(isAlive({ ...me, ...change }, { ...me, owner }), alive, what);
});

test("a lock is one process's, until it is released", async (t) => {
  const directory = await temporaryDirectory(t);
  const lock = await SpoolLock.acquire(directory, me);
  assert.ok(lock !== undefined);
  assert.deepEqual((await readLock(directory))?.lockedBy, me);
  assert.equal(await SpoolLock.acquire(directory, me), undefined);
  await lock.release();
  assert.deepEqual(await readdir(directory), []);
  assert.ok((await SpoolLock.acquire(directory, me)) !== undefined);
});

test("of many that find a stale lock at the same time exactly one gets it", async (t) => {
  for (let round = 0; round < 30; round++) {
    const directory = await temporaryDirectory(t);
    await writeFile(path.join(directory, "lock"), JSON.stringify({ ...me, boot: "another" }));
    const taken = await Promise.all(
      Array.from({ length: 8 }, async (_, turns) => {
        for (let turn = 0; turn < turns * (round % 5); turn++) await new Promise((resolve) => setImmediate(resolve));
        return SpoolLock.acquire(directory, me);
      }),
    );
    assert.equal(taken.filter((lock) => lock !== undefined).length, 1);
    assert.deepEqual(await readdir(directory), ["lock"]);
  }
});

test("a lock of which nothing is known is taken only when its beat is the one that was seen for long", async (t) => {
  for (const content of ["", "{", JSON.stringify({ pid: 1 }), JSON.stringify(elsewhere)]) {
    const directory = await temporaryDirectory(t);
    const file = path.join(directory, "lock");
    await writeFile(file, content);
    const { mtimeMs } = await stat(file);
    assert.equal(await SpoolLock.acquire(directory, me), undefined);
    assert.equal(await SpoolLock.acquire(directory, me, mtimeMs - 1), undefined);
    assert.ok((await SpoolLock.acquire(directory, me, mtimeMs)) !== undefined, content);
  }
});

test("the beat of a lock moves, and fails when the lock is gone", async (t) => {
  const directory = await temporaryDirectory(t);
  const lock = await SpoolLock.acquire(directory, me);
  await utimes(path.join(directory, "lock"), 1, 1);
  await lock?.heartbeat();
  assert.ok(((await readLock(directory))?.heartbeatMs ?? 0) > 1_000_000);
  await lock?.release();
  await assert.rejects(async () => lock?.heartbeat(), { code: "ENOENT" });
});
