import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { LauncherSockets } from "../../../src/discovery/launcher-sockets.ts";
import { systemClock, type Clock } from "../../../src/lib/clock.ts";
import type { WakeSignal } from "../../../src/lib/waker.ts";
import { FakeClock } from "../../support/fake-clock.ts";

let pods: string;
let clock: FakeClock;
let sockets: LauncherSockets;

beforeEach(async () => {
  pods = await mkdtemp(path.join(tmpdir(), "pods-"));
  clock = new FakeClock();
  sockets = new LauncherSockets(pods, clock);
});

afterEach(() => rm(pods, { recursive: true, force: true }));

function volume(podUid: string, name: string): string {
  return path.join(pods, podUid, "volumes/kubernetes.io~empty-dir", name);
}

/** Creates files instead of sockets: only their names matter here. */
async function launcher(podUid: string, ...names: string[]): Promise<void> {
  await mkdir(volume(podUid, "libvirt-runtime"), { recursive: true });
  await mkdir(volume(podUid, "sockets"), { recursive: true });
  for (const name of names) await writeFile(path.join(volume(podUid, "libvirt-runtime"), name), "");
}

async function found(): Promise<string[]> {
  await sockets.scan();
  return sockets.launchers.map(({ podUid, socket }) => `${podUid}: ${path.basename(socket)}`);
}

test("launchers of all KubeVirt versions are found, other pods are not", async () => {
  await launcher("new", "virtqemud-sock", "virtqemud.conf");
  await launcher("old", "libvirt-sock", "libvirt-admin-sock");
  await mkdir(path.join(pods, "web/volumes/kubernetes.io~empty-dir/cache"), { recursive: true });
  assert.deepEqual(await found(), ["new: virtqemud-sock", "old: libvirt-sock"]);
});

test("a read-only socket is preferred, also if its path is longer than a socket address", async () => {
  await launcher("root", "virtqemud-sock", "virtqemud-sock-ro");
  const long = "p".repeat(120);
  await launcher(long, "virtqemud-sock", "virtqemud-sock-ro");
  assert.deepEqual(await found(), [`${long}: virtqemud-sock-ro`, "root: virtqemud-sock-ro"]);
});

test("a launcher is found when it has a socket, and removed when its directory is deleted", async () => {
  await launcher("vm");
  assert.deepEqual(await found(), []);
  await launcher("vm", "virtqemud-sock");
  await clock.advance(2_000);
  assert.deepEqual(await found(), ["vm: virtqemud-sock"]);
  await rm(path.join(pods, "vm"), { recursive: true });
  assert.deepEqual(await found(), []);
});

test("a launcher that virt-handler marks as unresponsive is skipped until the mark is removed", async () => {
  await launcher("vm", "virtqemud-sock");
  await writeFile(path.join(volume("vm", "sockets"), "launcher-unresponsive"), "");
  assert.deepEqual(await found(), []);
  const where = path.join(volume("vm", "sockets"), "launcher-unresponsive");
  assert.deepEqual(sockets.unusable, [{ podUid: "vm", reason: "unresponsive", where }]);
  await rm(where);
  await clock.advance(30_000);
  assert.deepEqual(await found(), ["vm: virtqemud-sock"]);
  assert.deepEqual(sockets.unusable, []);
});

test("a new pod without libvirt's volume is scanned again, an old one is not", async () => {
  await mkdir(path.join(pods, "late"));
  assert.deepEqual(await found(), []);
  await clock.advance(200_000);
  await launcher("late", "virtqemud-sock");
  assert.deepEqual(await found(), ["late: virtqemud-sock"]);

  await mkdir(path.join(pods, "never"));
  await sockets.scan();
  await clock.advance(300_001);
  await sockets.scan();
  await launcher("never", "virtqemud-sock");
  await clock.advance(60_000);
  assert.deepEqual(await found(), ["late: virtqemud-sock"]);
});

test("a missing pods directory is an error with its path", async () => {
  await rm(pods, { recursive: true });
  await assert.rejects(sockets.scan(), (error: Error) => error.message.includes(pods));
});

test("following notices new pods immediately, survives a missing directory, and ends on abort", async () => {
  const stop = new AbortController();
  const seen: string[] = [];
  const waiting = Promise.withResolvers<undefined>();
  // Only the wait for a change is long.
  const sleep = (ms: number, signal?: AbortSignal): Promise<void> => systemClock.sleep(ms < 1_000 ? 0 : 60_000, signal);
  const done = new LauncherSockets(pods, { ...systemClock, sleep });
  const following = done.follow(stop.signal, () => {
    seen.push(done.error === undefined ? done.launchers.map(({ podUid }) => podUid).join() : "error");
    if (seen.includes("vm")) stop.abort();
    waiting.resolve(undefined);
  });
  await waiting.promise;
  // The pod is created elsewhere and moved here: one change of the directory, with all files.
  const elsewhere = await mkdtemp(path.join(tmpdir(), "pod-"));
  await mkdir(path.join(elsewhere, "volumes/kubernetes.io~empty-dir/libvirt-runtime"), { recursive: true });
  await writeFile(path.join(elsewhere, "volumes/kubernetes.io~empty-dir/libvirt-runtime/virtqemud-sock"), "");
  await rename(elsewhere, path.join(pods, "vm"));
  await following;
  assert.equal(seen[0], "");
  assert.equal(seen.at(-1), "vm");

  const missing = new LauncherSockets(path.join(pods, "absent"), systemClock);
  const end = new AbortController();
  await missing.follow(end.signal, () => {
    end.abort();
  });
  assert.equal((missing.error as NodeJS.ErrnoException).code, "ENOENT");
});

/** Returns the first waits of `follow` between its scans. Each ends at once. */
async function waits(followed: LauncherSockets, count: number, scanned?: () => void): Promise<readonly number[]> {
  const [first, stop] = [slept.length, new AbortController()];
  const following = followed.follow(stop.signal, () => {
    scanned?.();
    if (slept.length >= first + count - 1) stop.abort();
  });
  await following;
  return slept.slice(first, first + count);
}

const slept: number[] = [];
const recording: Clock = {
  now: () => 0,
  monotonic: () => 1_000,
  sleep: (ms) => {
    // The shortest time between two scans is no wait for the next one.
    if (ms !== 500) slept.push(ms);
    return Promise.resolve();
  },
};

test("an idle agent does not scan a watched directory every two seconds, but does while a launcher starts", async () => {
  const listed = new Set<string>();
  const followed = new LauncherSockets(pods, recording, (podUid) => listed.has(podUid));
  await mkdir(path.join(pods, "web"));
  assert.deepEqual(await waits(followed, 2), [9_002, 9_002]);
  await launcher("vm");
  listed.add("vm");
  assert.deepEqual(await waits(followed, 2), [2_000, 2_000]);
});

test("a directory that cannot be read or watched is scanned every two seconds", async () => {
  const followed = new LauncherSockets(path.join(pods, "absent"), recording);
  assert.deepEqual(await waits(followed, 2), [2_000, 2_000]);
});

test("a pod that a VMI lists later is inspected at once, not at the next scan of a watched directory", async () => {
  const listed = new Set<string>();
  // A wait ends only when it is woken; the shortest time between two scans does not pass.
  const sleep = (ms: number, signal?: WakeSignal): Promise<void> => systemClock.sleep(ms === 500 ? 0 : 60_000, signal);
  await launcher("vm");
  const followed = new LauncherSockets(pods, { now: () => 0, monotonic: () => 1_000, sleep }, (uid) => listed.has(uid));
  const stop = new AbortController();
  const found: string[] = [];
  await followed.follow(stop.signal, () => {
    found.push(followed.launchers.map(({ podUid }) => podUid).join());
    if (found.length === 2) stop.abort();
    // In a directory that is not watched.
    writeFileSync(path.join(volume("vm", "libvirt-runtime"), "virtqemud-sock"), "");
    listed.add("vm");
    followed.listChanged();
  });
  assert.deepEqual(found, ["", "vm"]);
});

test("an exception of the handler of a scan leaves no watch behind", async () => {
  const inode = `inotify .*ino:${(await stat(pods)).ino.toString(16)} `;
  const isWatched = async (): Promise<boolean> => {
    const open = (await readdir("/proc/self/fdinfo")).map((fd) => `/proc/self/fdinfo/${fd}`);
    const infos = await Promise.all(open.map((file) => readFile(file, "utf8").catch(() => "")));
    return infos.some((info) => new RegExp(inode).test(info));
  };
  const stop = new AbortController();
  let watched: Promise<boolean> | undefined;
  const following = sockets.follow(stop.signal, () => {
    watched = isWatched();
  });
  while (watched === undefined) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(await watched, true);
  stop.abort();
  await following;
  const bug = (): never => {
    throw new Error("a bug");
  };
  await assert.rejects(sockets.follow(new AbortController().signal, bug), /a bug/);
  assert.equal(await isWatched(), false);
});
