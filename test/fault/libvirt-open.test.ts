import assert from "node:assert/strict";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { LibvirtClient } from "../../src/libvirt/client.ts";
import { LibvirtError, type LibvirtErrorCode } from "../../src/libvirt/errors.ts";
import { openPeer, startPeer, type PeerCall } from "../support/libvirt-peer.ts";
import { atEnd } from "../support/at-end.ts";

const SOON = { deadlineMs: 50 };
const LATER = { deadlineMs: 10_000 };

function failsWith(code: LibvirtErrorCode, message = /./): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof LibvirtError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
}

async function directory(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "lv-"));
  atEnd(t, () => rm(path, { recursive: true, force: true }));
  return path;
}

/** Returns a handler that accepts one URI and rejects the other, as libvirt does. */
function only(served: string): (call: PeerCall) => void {
  return (call) => {
    const uri = call.payload.optional(() => call.payload.string(1_000));
    assert.equal(call.payload.uint(), 1, "the connection must be opened read-only");
    if (uri === served) call.reply();
    else call.fail(1, `internal error: unexpected QEMU URI path, try ${served}`);
  };
}

for (const uri of ["qemu:///system", "qemu:///session"]) {
  void test(`a daemon that serves only ${uri} is opened with that URI`, async (t) => {
    const { client } = await openPeer(t, { CONNECT_OPEN: only(uri) });
    assert.deepEqual([client.uri, client.libvirtVersion], [uri, "9.0.0"]);
  });
}

void test("a daemon that rejects both URIs causes an error with its message", async (t) => {
  const peer = await startPeer(t, { CONNECT_OPEN: only("qemu:///embed") });
  await assert.rejects(
    LibvirtClient.open(peer.socketPath, LATER),
    failsWith("E_LIBVIRT_REMOTE", /unexpected QEMU URI/),
  );
});

void test("after another error of the daemon, the other URI is not tried", async (t) => {
  const peer = await startPeer(t, {
    CONNECT_OPEN: (call) => {
      call.fail(38, "Cannot write to the state directory");
    },
  });
  await assert.rejects(LibvirtClient.open(peer.socketPath, LATER), failsWith("E_LIBVIRT_REMOTE", /state directory/));
  assert.equal(peer.received.filter((name) => name === "CONNECT_OPEN").length, 1);
});

void test("a daemon without the keepalive feature is opened", async (t) => {
  const { client } = await openPeer(t, {
    CONNECT_SUPPORTS_FEATURE: (call) => {
      call.fail(1, "keepalive is off");
    },
  });
  assert.ok(client.isOpen);
});

void test("the client authenticates by polkit if the daemon requires it", async (t) => {
  const { peer } = await openPeer(t, {
    AUTH_LIST: (call) => {
      call.reply((writer) => writer.array([2], (type) => writer.uint(type)));
    },
    AUTH_POLKIT: (call) => {
      call.reply((writer) => writer.int(1));
    },
  });
  assert.ok(peer.received.indexOf("AUTH_POLKIT") < peer.received.indexOf("CONNECT_OPEN"));
});

void test("a rejection by polkit is E_LIBVIRT_DENIED with polkit's message", async (t) => {
  const peer = await startPeer(t, {
    AUTH_LIST: (call) => {
      call.reply((writer) => writer.array([2], (type) => writer.uint(type)));
    },
    AUTH_POLKIT: (call) => {
      call.fail(45, "no polkit agent available");
    },
  });
  await assert.rejects(LibvirtClient.open(peer.socketPath, LATER), failsWith("E_LIBVIRT_DENIED", /no polkit agent/));
});

void test("a daemon that requires SASL is E_LIBVIRT_DENIED", async (t) => {
  const peer = await startPeer(t, {
    AUTH_LIST: (call) => {
      call.reply((writer) => writer.array([1], (type) => writer.uint(type)));
    },
  });
  await assert.rejects(LibvirtClient.open(peer.socketPath, LATER), failsWith("E_LIBVIRT_DENIED", /SASL/));
});

void test("if the daemon never replies, open fails at the deadline and closes the connection", async (t) => {
  const peer = await startPeer(t, { AUTH_LIST: () => undefined });
  await assert.rejects(LibvirtClient.open(peer.socketPath, SOON), failsWith("E_LIBVIRT_TIMEOUT"));
  for (const socket of peer.sockets) await new Promise((resolve) => socket.on("close", resolve));
});

void test("the deadline covers the whole opening, not each step", async (t) => {
  const slowly = (call: PeerCall): void => {
    setTimeout(() => {
      call.reply((writer) => writer.int(0));
    }, 80);
  };
  const peer = await startPeer(t, {
    AUTH_LIST: slowly,
    CONNECT_SUPPORTS_FEATURE: slowly,
    CONNECT_OPEN: () => undefined,
  });
  await assert.rejects(LibvirtClient.open(peer.socketPath, { deadlineMs: 300 }), failsWith("E_LIBVIRT_TIMEOUT"));
});

void test("an opening without a deadline succeeds", async (t) => {
  const peer = await startPeer(t);
  using client = await LibvirtClient.open(peer.socketPath, { deadlineMs: Number.POSITIVE_INFINITY });
  assert.ok(client.isOpen);
});

void test("a path of 108 bytes is rejected with its length, one of 107 bytes is tried", async (t) => {
  const base = `${await directory(t)}/`;
  const path = (bytes: number): string => base + "s".repeat(bytes - base.length);
  await assert.rejects(LibvirtClient.open(path(108), LATER), failsWith("E_LIBVIRT_PATH", /108 bytes/));
  await assert.rejects(LibvirtClient.open(path(107), LATER), failsWith("E_LIBVIRT_UNREACHABLE"));
  // The limit is in bytes, not characters.
  const umlauts = base + "ü".repeat(54);
  await assert.rejects(LibvirtClient.open(umlauts, LATER), failsWith("E_LIBVIRT_PATH"));
});

void test("a path that is empty or has a zero byte is rejected", async () => {
  await assert.rejects(LibvirtClient.open("", LATER), failsWith("E_LIBVIRT_PATH"));
  await assert.rejects(LibvirtClient.open("/run/a\0b", LATER), failsWith("E_LIBVIRT_PATH"));
});

void test("a path of digits is a path, not a TCP port", async () => {
  await assert.rejects(LibvirtClient.open("16509", LATER), failsWith("E_LIBVIRT_UNREACHABLE", /no such socket/));
});

void test("a missing socket and a file that is not a socket are E_LIBVIRT_UNREACHABLE", async (t) => {
  const path = join(await directory(t), "sock");
  await assert.rejects(LibvirtClient.open(path, LATER), failsWith("E_LIBVIRT_UNREACHABLE", /no such socket/));
  await assert.rejects(LibvirtClient.open("/dev/null", LATER), failsWith("E_LIBVIRT_UNREACHABLE"));
  await assert.rejects(LibvirtClient.open("/dev/null/sock", LATER), failsWith("E_LIBVIRT_UNREACHABLE"));
});

void test("a peer that does not speak libvirt's protocol is E_LIBVIRT_PROTOCOL", async (t) => {
  const path = join(await directory(t), "sock");
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.resume();
    socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  atEnd(t, () => new Promise((resolve) => server.close(resolve)));
  await assert.rejects(LibvirtClient.open(path, LATER), failsWith("E_LIBVIRT_PROTOCOL", /Is this a libvirt socket/));
});

void test("a socket without permission is E_LIBVIRT_DENIED", async (t) => {
  const peer = await startPeer(t);
  await chmod(peer.socketPath, 0o000);
  // Root may use every socket, so root becomes another user while `open` connects. It connects before it returns.
  const root = process.getuid?.() === 0;
  if (root) process.seteuid?.(65_534);
  const opening = LibvirtClient.open(peer.socketPath, LATER);
  if (root) process.seteuid?.(0);
  await assert.rejects(opening, failsWith("E_LIBVIRT_DENIED", /EACCES/));
});
