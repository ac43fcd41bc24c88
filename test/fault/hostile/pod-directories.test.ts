// Tenants that create many pods, or fill the directories of their pods.
import assert from "node:assert/strict";
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import path from "node:path";
import { mock, test, type TestContext } from "node:test";
import { LauncherSockets } from "../../../src/discovery/launcher-sockets.ts";
import { atEnd } from "../../support/at-end.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const RUNTIME = "volumes/kubernetes.io~empty-dir/libvirt-runtime";
const PODS = 2_500;

/** Counts the calls of the file system, and the names that it returns from the directories of pods. */
function countCalls(t: TestContext, podsDir: string) {
  const counts = { calls: 0, names: 0 };
  for (const call of ["readdir", "stat", "lstat"] as const) {
    const original = fs[call] as (path: string) => Promise<unknown>;
    mock.method(fs, call, async (file: string) => {
      if (file !== podsDir) counts.calls++;
      const result = await original(file);
      if (file !== podsDir && Array.isArray(result)) counts.names += result.length;
      return result;
    });
  }
  syncBuiltinESMExports();
  atEnd(t, () => {
    mock.restoreAll();
    syncBuiltinESMExports();
  });
  return counts;
}

async function node(t: TestContext) {
  const pods = await temporaryDirectory(t);
  for (let pod = 0; pod < PODS; pod++) await fs.mkdir(path.join(pods, `stranger-${pod}`));
  await fs.mkdir(path.join(pods, "vm", RUNTIME), { recursive: true });
  const listed = new Set(["vm"]);
  const clock = new FakeClock();
  const sockets = new LauncherSockets(pods, clock, (podUid) => listed.has(podUid));
  const scans = async (seconds: number): Promise<void> => {
    for (let second = 0; second < seconds; second += 2) {
      await sockets.scan();
      await clock.advance(2_000);
    }
  };
  return { pods, listed, sockets, scans };
}

test("thousands of pods that no VMI lists are inspected a few times each", async (t) => {
  const { pods, sockets, scans } = await node(t);
  const counts = countCalls(t, pods);
  await scans(60);
  const inSixtySeconds = counts.calls;
  assert.ok(inSixtySeconds < 7 * PODS, String(inSixtySeconds));
  await fs.writeFile(path.join(pods, "vm", RUNTIME, "virtqemud-sock"), "");
  await scans(4);
  assert.deepEqual(
    sockets.launchers.map(({ podUid }) => podUid),
    ["vm"],
  );
});

test("one scan inspects few of the pods that no VMI lists, and all of the others", async (t) => {
  const { pods, sockets } = await node(t);
  await fs.writeFile(path.join(pods, "vm", RUNTIME, "virtqemud-sock"), "");
  const counts = countCalls(t, pods);
  await sockets.scan();
  assert.ok(counts.calls < 70, String(counts.calls));
  assert.equal(sockets.launchers.length, 1);
});

test("a pod is inspected at once when a VMI begins to list it", async (t) => {
  const { pods, listed, sockets, scans } = await node(t);
  await scans(600);
  await fs.mkdir(path.join(pods, "stranger-7", RUNTIME), { recursive: true });
  await fs.writeFile(path.join(pods, "stranger-7", RUNTIME, "virtqemud-sock"), "");
  listed.add("stranger-7");
  await sockets.scan();
  assert.deepEqual(
    sockets.launchers.map(({ podUid }) => podUid),
    ["stranger-7"],
  );
});

test("a directory that a pod has filled with files is not read", async (t) => {
  const { pods, sockets } = await node(t);
  for (let file = 0; file < 1_000; file++) await fs.writeFile(path.join(pods, "vm", RUNTIME, `file-${file}`), "");
  await fs.writeFile(path.join(pods, "vm", RUNTIME, "virtqemud-sock"), "");
  const counts = countCalls(t, pods);
  await sockets.scan();
  assert.equal(sockets.launchers.length, 1);
  assert.equal(counts.names, 0);
});

test("many changes of the pods directory cause one scan", async (t) => {
  const { pods, sockets } = await node(t);
  const clock = new FakeClock();
  const following = new LauncherSockets(pods, clock);
  const stop = new AbortController();
  let scans = 0;
  const scanned = Promise.withResolvers<undefined>();
  const ended = following.follow(stop.signal, () => {
    scans++;
    scanned.resolve(undefined);
  });
  await scanned.promise;
  for (let pod = 0; pod < 200; pod++) await fs.mkdir(path.join(pods, `late-${pod}`));
  await sockets.scan();
  assert.equal(scans, 1);
  stop.abort();
  await ended;
});
