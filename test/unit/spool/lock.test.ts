import assert from "node:assert/strict";
import { readdir, stat, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { isAlive, readLock, SpoolLock, thisProcess } from "../../../src/spool/lock.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const self = thisProcess();
const elsewhere = { ...self, pidNamespace: "pid:[1]" };

test("isAlive decides by boot, process and pod, and otherwise returns unknown", () => {
  const cases: readonly (readonly [string, Partial<typeof self>, string, boolean | "unknown"])[] = [
    ["this process", {}, "", true],
    ["another process with the same pid", { startTime: "1" }, "", false],
    ["no such process", { pid: 2 ** 22 + 1 }, "", false],
    ["a process before a reboot", { boot: "another" }, "", false],
    ["another container", { pidNamespace: "pid:[1]" }, "", "unknown"],
    ["another pod", { pidNamespace: "pid:[1]", owner: "pod-a" }, "pod-b", "unknown"],
    ["this pod, an earlier container", { pidNamespace: "pid:[1]", owner: "pod-a" }, "pod-a", false],
    ["another process of this container", { owner: "pod-a" }, "pod-a", true],
    ["a system without this information", { boot: "", pidNamespace: "" }, "", "unknown"],
  ];
  for (const [what, change, owner, alive] of cases)
    assert.equal(isAlive({ ...self, ...change }, { ...self, owner }), alive, what);
});

test("a lock is exclusive until it is released", async (t) => {
  const directory = await temporaryDirectory(t);
  const lock = await SpoolLock.acquire(directory, self);
  assert.ok(lock !== undefined);
  assert.deepEqual((await readLock(directory))?.lockedBy, self);
  assert.equal(await SpoolLock.acquire(directory, self), undefined);
  await lock.release();
  assert.deepEqual(await readdir(directory), []);
  assert.ok((await SpoolLock.acquire(directory, self)) !== undefined);
});

test("exactly one of many processes replaces a stale lock", async (t) => {
  for (let round = 0; round < 30; round++) {
    const directory = await temporaryDirectory(t);
    await writeFile(path.join(directory, "lock"), JSON.stringify({ ...self, boot: "another" }));
    const taken = await Promise.all(
      Array.from({ length: 8 }, async (_, turns) => {
        for (let turn = 0; turn < turns * (round % 5); turn++) await new Promise((resolve) => setImmediate(resolve));
        return SpoolLock.acquire(directory, self);
      }),
    );
    assert.equal(taken.filter((lock) => lock !== undefined).length, 1);
    assert.deepEqual(await readdir(directory), ["lock"]);
  }
});

test("a lock of an unknown owner is stale only with the given heartbeat", async (t) => {
  for (const content of ["", "{", JSON.stringify({ pid: 1 }), JSON.stringify(elsewhere)]) {
    const directory = await temporaryDirectory(t);
    const file = path.join(directory, "lock");
    await writeFile(file, content);
    const { mtimeMs } = await stat(file);
    assert.equal(await SpoolLock.acquire(directory, self), undefined);
    assert.equal(await SpoolLock.acquire(directory, self, mtimeMs - 1), undefined);
    assert.ok((await SpoolLock.acquire(directory, self, mtimeMs)) !== undefined, content);
  }
});

test("a heartbeat updates the lock, and rejects if the lock file was deleted", async (t) => {
  const directory = await temporaryDirectory(t);
  const lock = await SpoolLock.acquire(directory, self);
  await utimes(path.join(directory, "lock"), 1, 1);
  await lock?.heartbeat();
  assert.ok(((await readLock(directory))?.heartbeatMs ?? 0) > 1_000_000);
  await lock?.release();
  await assert.rejects(async () => lock?.heartbeat(), { code: "ENOENT" });
});

test("a lock that another process has replaced is not held any more, and its release leaves that of the other", async (t) => {
  const directory = await temporaryDirectory(t);
  const replaced = await SpoolLock.acquire(directory, elsewhere);
  assert.equal(await replaced?.isHeld(), true);
  const other = await SpoolLock.acquire(directory, self, (await readLock(directory))?.heartbeatMs);
  assert.deepEqual([await replaced?.isHeld(), await other?.isHeld()], [false, true]);
  await replaced?.release();
  assert.equal(await other?.isHeld(), true);
  await other?.release();
  assert.equal(await other?.isHeld(), false);
});
