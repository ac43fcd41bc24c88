import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { removeSpool } from "../../../src/commands/remove-spool.ts";
import { RejectedLines } from "../../../src/delivery/rejected-lines.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const NEVER = new AbortController().signal;

async function removed(directory: string): Promise<string[]> {
  const printed: string[] = [];
  assert.equal(await removeSpool(directory, {}, NEVER, (line) => printed.push(line)), 0);
  return printed;
}

/** Creates files with their directories. */
async function create(directory: string, ...files: readonly string[]): Promise<void> {
  for (const file of files) {
    await mkdir(path.dirname(path.join(directory, file)), { recursive: true });
    await writeFile(path.join(directory, file), "text");
  }
}

const SEGMENT = "00000000000000000001.seg";

test("all that agents have written is removed, and the directory stays", async (t: TestContext) => {
  const directory = await temporaryDirectory(t);
  await create(directory, `v1/${SEGMENT}`, "v1/cursors.json", "v1/lock", "v1/lock.123-456.5", `v1-0a1b2c3d/${SEGMENT}`);
  await create(directory, "known-objects.jsonl");
  const rejected = new RejectedLines({ directory: path.join(directory, "rejected"), clock: new FakeClock() });
  await rejected.write("main", [{ lines: 1, bytes: Buffer.from("line"), reason: "bad" }]);
  await rejected.close();
  assert.deepEqual(await removed(directory), [`${directory}: the files of the agents are removed`]);
  assert.deepEqual(await readdir(directory), []);
  await removed(directory);
});

test("files of others stay, at every place, and links are not followed", async (t) => {
  const [directory, other] = [await temporaryDirectory(t), await temporaryDirectory(t)];
  const foreign = ["data.db", "v1/notes.txt", "v1/deeper/lock", "volumes/lock", "rejected/rejected.jsonl.bak"];
  await create(directory, ...foreign, `v1/${SEGMENT}`, "rejected/rejected.jsonl");
  await create(other, SEGMENT);
  await symlink(other, path.join(directory, "v2"));
  assert.deepEqual(await removed(directory), [`${directory}: the files of the agents are removed, 5 others stay`]);
  for (const file of foreign) assert.equal(await readFile(path.join(directory, file), "utf8"), "text");
  assert.deepEqual((await readdir(path.join(directory, "v1"))).sort(), ["deeper", "notes.txt"]);
  assert.deepEqual(await readdir(other), [SEGMENT]);
});

test("with stay it ends with the signal", async (t) => {
  const directory = await temporaryDirectory(t);
  const stop = new AbortController();
  const printed: string[] = [];
  const ended = removeSpool(directory, { stay: true }, stop.signal, (line) => {
    printed.push(line);
    stop.abort();
  });
  assert.deepEqual([await ended, printed.length], [0, 1]);
});

test("a process with stay runs until SIGTERM, so that the container of a DaemonSet stays Ready", async (t) => {
  const directory = await temporaryDirectory(t);
  const main = path.join(import.meta.dirname, "../../../src/main.ts");
  const child = spawn(process.execPath, [main, "remove-spool", directory, "--stay"], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exit = once(child, "exit");
  await once(child.stdout, "data");
  // A process that does not stay has ended before its output is closed.
  const ended = await Promise.race([once(child.stdout, "end").then(() => true), delay(1_000, false)]);
  child.kill("SIGTERM");
  assert.deepEqual([ended, await exit], [false, [0, null]]);
});

test("a directory that cannot be read is an error with its name", async () => {
  await assert.rejects(
    removeSpool("/nonexistent/spool", {}, NEVER, () => undefined),
    {
      code: "E_SPOOL_WRITE",
      message: /^\/nonexistent\/spool cannot be emptied: ENOENT/,
    },
  );
});
