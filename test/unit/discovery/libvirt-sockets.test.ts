import assert from "node:assert/strict";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { findLibvirtSocket, STANDARD_SOCKETS } from "../../../src/discovery/libvirt-sockets.ts";
import { atEnd } from "../../support/at-end.ts";

async function directory(
  t: TestContext,
): Promise<{ at: (name: string) => string; listen: (name: string) => Promise<void> }> {
  const dir = await mkdtemp(path.join(tmpdir(), "sockets-"));
  const servers: Server[] = [];
  atEnd(t, async () => {
    for (const server of servers) await new Promise((resolve) => server.close(resolve));
    await rm(dir, { recursive: true, force: true });
  });
  const at = (name: string): string => path.join(dir, name);
  return {
    at,
    listen: async (name) => {
      const server = createServer();
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(at(name), resolve));
    },
  };
}

test("the first existing socket of the list is returned", async (t) => {
  const { at, listen } = await directory(t);
  await listen("second");
  await listen("third");
  assert.equal(await findLibvirtSocket([at("first"), at("second"), at("third")]), at("second"));
  await listen("first");
  assert.equal(await findLibvirtSocket([at("first"), at("second"), at("third")]), at("first"));
});

test("files, directories and broken links are skipped", async (t) => {
  const { at, listen } = await directory(t);
  await writeFile(at("file"), "");
  await symlink(at("nowhere"), at("dangling"));
  await listen("socket");
  await symlink(at("socket"), at("link"));
  assert.equal(await findLibvirtSocket([at("file"), at("."), at("dangling"), at("link")]), at("link"));
});

test("without a socket the error has every path and the remedy", async (t) => {
  const { at } = await directory(t);
  await assert.rejects(findLibvirtSocket([at("one"), at("two")]), (error: Error & { code?: string }) => {
    assert.equal(error.code, "E_SOCKET_NOT_FOUND");
    for (const part of [at("one"), at("two"), "--libvirt-socket"]) assert.ok(error.message.includes(part), part);
    return true;
  });
});

test("read-only sockets come first, because they are enough", () => {
  const readOnly = STANDARD_SOCKETS.map((socket) => socket.endsWith("-ro"));
  assert.deepEqual(readOnly, [true, true, false, false]);
});
