// Launchers whose socket is a link or another kind of file. A pod may put into its volume what it wants.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readdir, readlink, rename, rm, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { LAUNCHER_BUDGET } from "../../../src/budget.ts";
import { DaemonSession } from "../../../src/collection/libvirt/daemon-session.ts";
import { LibvirtClient } from "../../../src/libvirt/client.ts";
import { openSocket } from "../../../src/libvirt/open-socket.ts";
import { SharedLimits } from "../../../src/libvirt/peer.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { startPeer } from "../../support/libvirt-peer.ts";
import { exceeds, launcher } from "../../support/limited-launcher.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const LATER = { deadlineMs: 10_000 };

const FILES: Readonly<Record<string, (file: string, socket: string) => unknown>> = {
  "a symbolic link": (file, socket) => symlink(socket, file),
  "a directory": (file) => mkdir(file),
  "a file": (file) => writeFile(file, "HTTP/1.1 200 OK"),
  "a named pipe": (file) => execFileSync("sh", ["-c", `mkfifo "${file}"`]),
};

for (const [what, create] of Object.entries(FILES)) {
  test(`a launcher's socket that is ${what} is rejected and not opened`, async (t) => {
    const victim = await startPeer(t);
    const file = path.join(await temporaryDirectory(t), "sock");
    await create(file, victim.socketPath);
    const opening = LibvirtClient.open(file, { ...LATER, peer: launcher() });
    await assert.rejects(opening, (error) => {
      assert.match(String(error), new RegExp(`${file}: .* is ${what}, not a socket`));
      return exceeds("SocketType")(error);
    });
    assert.equal(victim.sockets.size, 0);
  });
}

test("a link to a device and a broken link are rejected as links", async (t) => {
  for (const target of ["/dev/zero", "/does/not/exist", "sock"]) {
    const file = path.join(await temporaryDirectory(t), "sock");
    await symlink(target, file);
    await assert.rejects(LibvirtClient.open(file, { ...LATER, peer: launcher() }), exceeds("SocketType"));
  }
});

test("the socket of a host's own daemon may be a link", async (t) => {
  const { socketPath } = await startPeer(t);
  const file = path.join(await temporaryDirectory(t), "sock");
  await symlink(socketPath, file);
  using client = await LibvirtClient.open(file, LATER);
  assert.ok(client.isOpen);
});

test("a launcher's socket that is replaced by a link between two connections is rejected", async (t) => {
  const [own, victim] = [await startPeer(t), await startPeer(t)];
  const clock = new FakeClock();
  const shared = new SharedLimits(1 << 20);
  const endpoint = { socket: own.socketPath, budget: LAUNCHER_BUDGET };
  const daemon = new DaemonSession(endpoint, { shared, clock, onLost: () => undefined });
  const session = await daemon.session(clock.monotonic() + 10_000);
  session.close();
  await session.closed;
  await rm(own.socketPath);
  await symlink(victim.socketPath, own.socketPath);
  await assert.rejects(daemon.session(clock.monotonic() + 10_000), exceeds("SocketType"));
  assert.deepEqual(victim.received, []);
});

test("a socket that is swapped for a link again and again is never followed", async (t) => {
  const [own, victim] = [await startPeer(t), await startPeer(t)];
  const directory = path.dirname(own.socketPath);
  const [link, parked] = [path.join(directory, "link"), path.join(directory, "parked")];
  await symlink(victim.socketPath, link);
  const done = new AbortController();
  const swap = (async () => {
    while (!done.signal.aborted) {
      await rename(own.socketPath, parked);
      await rename(link, own.socketPath);
      await rename(own.socketPath, link);
      await rename(parked, own.socketPath);
    }
  })();
  const outcomes = new Set<string>();
  for (let attempt = 0; attempt < 200; attempt++) {
    try {
      using client = await LibvirtClient.open(own.socketPath, { ...LATER, peer: launcher() });
      outcomes.add(String(client.isOpen));
    } catch (error) {
      outcomes.add(error instanceof Error && "code" in error ? String(error.code) : String(error));
    }
  }
  done.abort();
  await swap;
  assert.deepEqual(victim.received, []);
  for (const outcome of outcomes) assert.match(outcome, /^(true|E_LIBVIRT_LIMIT|E_LIBVIRT_UNREACHABLE)$/);
});

test("a launcher's socket may have a path of more than 107 bytes", async (t) => {
  const { socketPath } = await startPeer(t);
  const directory = path.join(await temporaryDirectory(t), "d".repeat(120));
  await mkdir(directory);
  const file = path.join(directory, "sock");
  await rename(socketPath, file);
  using client = await LibvirtClient.open(file, { ...LATER, peer: launcher() });
  assert.ok(client.isOpen);
});

test("a missing socket, or one without a listener, is unreachable and leaves no descriptor open", async (t) => {
  const directory = await temporaryDirectory(t);
  const { socketPath } = await startPeer(t);
  const dead = path.join(directory, "dead");
  await rename(socketPath, dead);
  execFileSync(process.execPath, ["-e", `require("net").createServer().listen("${socketPath}", () => process.exit())`]);
  for (const file of [path.join(directory, "missing"), socketPath])
    await assert.rejects(LibvirtClient.open(file, { ...LATER, peer: launcher() }), { code: "E_LIBVIRT_UNREACHABLE" });
  const open = await Promise.all(
    (await readdir("/proc/self/fd")).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => "")),
  );
  assert.ok(!open.includes(socketPath), open.join());
});

/** Connects through another directory instead of /proc. */
function openThrough(proc: string, socketPath: string): Promise<unknown> {
  return openSocket(socketPath, {
    ...LATER,
    mustBeSocket: true,
    buffer: Buffer.alloc(10),
    onBytes: () => undefined,
    onConnect: (socket) => socket,
    proc,
  });
}

test("without /proc the error says that it is needed, and is not that of a launcher that has ended", async (t) => {
  const { socketPath } = await startPeer(t);
  const opening = openThrough(path.join(await temporaryDirectory(t), "proc"), socketPath);
  await assert.rejects(opening, { code: "E_LIBVIRT_DENIED", message: /\/proc is not mounted/ });
});

test("an unusual error of the system is not that of a launcher that has ended", async (t) => {
  const { socketPath } = await startPeer(t);
  const loop = path.join(await temporaryDirectory(t), "loop");
  await symlink(loop, loop);
  await assert.rejects(openThrough(loop, socketPath), { code: "E_LIBVIRT_CLOSED", message: /ELOOP/ });
});
