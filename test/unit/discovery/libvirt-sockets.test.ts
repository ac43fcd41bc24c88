import assert from "node:assert/strict";
import { rename, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { HostSocket, STANDARD_SOCKETS } from "../../../src/discovery/libvirt-sockets.ts";
import { SimulatorServer } from "../../../src/simulator/server.ts";
import { SimulatedHost } from "../../../src/simulator/simulated-host.ts";
import { atEnd } from "../../support/at-end.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

interface Sockets {
  readonly at: (name: string) => string;
  /** Starts a daemon on this socket. Resolves to a function that ends it, and leaves the socket file. */
  readonly listen: (name: string) => Promise<() => Promise<void>>;
}

async function sockets(t: TestContext): Promise<Sockets> {
  const dir = await temporaryDirectory(t);
  const servers = new Map<string, SimulatorServer>();
  atEnd(t, async () => {
    for (const server of servers.values()) await server[Symbol.asyncDispose]();
  });
  const at = (name: string): string => path.join(dir, name);
  return {
    at,
    listen: async (name) => {
      const server = await SimulatorServer.start(at(name), new SimulatedHost());
      servers.set(name, server);
      return async () => {
        servers.delete(name);
        // The socket file of a killed daemon remains.
        await rename(at(name), at("kept"));
        await server[Symbol.asyncDispose]();
        await rename(at("kept"), at(name));
      };
    },
  };
}

test("the first existing socket of the list is chosen", async (t) => {
  const { at, listen } = await sockets(t);
  const candidates = [at("first"), at("second"), at("third")];
  await listen("second");
  await listen("third");
  assert.equal(await new HostSocket({ candidates }).find(), at("second"));
  await listen("first");
  assert.equal(await new HostSocket({ candidates }).find(), at("first"));
});

test("a dead socket beside a living one is skipped, and the log can say which", async (t) => {
  const { at, listen } = await sockets(t);
  const skipped: unknown[] = [];
  const endFirst = await listen("first");
  await listen("second");
  await endFirst();
  const onSkipped = (...args: unknown[]): unknown => skipped.push(args);
  const socket = new HostSocket({ candidates: [at("first"), at("second")], onSkipped });
  assert.equal(await socket.find(), at("second"));
  assert.equal(await socket.find(), at("second"));
  assert.deepEqual(skipped, [[at("second"), [at("first")]]]);
});

test("a daemon that ends while it is used is replaced by the next one", async (t) => {
  const { at, listen } = await sockets(t);
  const endFirst = await listen("first");
  const endSecond = await listen("second");
  const socket = new HostSocket({ candidates: [at("first"), at("second")] });
  assert.equal(await socket.find(), at("first"));
  await endFirst();
  assert.equal(await socket.find(), at("first"), "a socket in use is not probed");
  socket.unreachable();
  assert.equal(await socket.find(), at("second"));
  await endSecond();
  socket.unreachable();
  assert.equal(await socket.find(), at("first"), "without any daemon the preferred socket is reported");
});

test("files, directories and broken links are skipped", async (t) => {
  const { at, listen } = await sockets(t);
  await writeFile(at("file"), "");
  await symlink(at("nowhere"), at("dangling"));
  await listen("socket");
  await symlink(at("socket"), at("link"));
  const candidates = [at("file"), at("."), at("dangling"), at("link")];
  assert.equal(await new HostSocket({ candidates }).find(), at("link"));
});

test("without a socket the error has every path and the remedy", async (t) => {
  const { at } = await sockets(t);
  const host = new HostSocket({ candidates: [at("one"), at("two")] });
  await assert.rejects(host.find(), (error: Error & { code?: string }) => {
    assert.equal(error.code, "E_SOCKET_NOT_FOUND");
    for (const part of [at("one"), at("two"), "--libvirt-socket"]) assert.ok(error.message.includes(part), part);
    return true;
  });
});

test("read-only sockets come first, because they are enough", () => {
  const readOnly = STANDARD_SOCKETS.map((socket) => socket.endsWith("-ro"));
  assert.deepEqual(readOnly, [true, true, false, false]);
});
