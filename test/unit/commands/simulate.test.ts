import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { link, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import path from "node:path";
import { test, type TestContext } from "node:test";
import { simulate } from "../../../src/commands/simulate.ts";
import { LibvirtClient } from "../../../src/libvirt/client.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { atEnd } from "../../support/at-end.ts";

const SHAPE = { domains: 3, nics: 1, disks: 2, seed: 1 };

function ignore(): void {
  // These tests do not read the output.
}

/** Starts `simulate`. Resolves once it serves. */
async function start(t: TestContext, socket: string) {
  const ending = new AbortController();
  const printed = Promise.withResolvers<string>();
  const exited = simulate({ socket, ...SHAPE }, ending.signal, printed.resolve);
  atEnd(t, () => {
    ending.abort();
    return exited.catch(() => undefined);
  });
  // If it ends before it serves, the test fails.
  const line = await Promise.race([printed.promise, exited.then((code) => assert.fail(`ended with ${code}`))]);
  return {
    line,
    exited,
    end: () => {
      ending.abort();
    },
  };
}

async function socketIn(t: TestContext): Promise<string> {
  return path.join(await temporaryDirectory(t), "libvirt-sock");
}

test("domains are served until the signal, which removes the socket", async (t) => {
  const socket = await socketIn(t);
  const { line, exited, end } = await start(t, socket);
  assert.equal(line, `3 domains with 1 NICs and 2 disks each on ${socket}; end with Ctrl-C`);
  using client = await LibvirtClient.open(socket, { deadlineMs: 10_000 });
  assert.equal((await client.listDomains(0, { deadlineMs: 10_000 })).length, 3);
  end();
  assert.equal(await exited, 0);
  assert.equal(existsSync(socket), false);
});

test("an earlier signal ends it at once", async (t) => {
  const socket = await socketIn(t);
  assert.equal(await simulate({ socket, ...SHAPE }, AbortSignal.abort(), () => undefined), 0);
  assert.equal(existsSync(socket), false);
});

test("a socket of a running server is not replaced", async (t) => {
  const socket = await socketIn(t);
  await start(t, socket);
  await assert.rejects(simulate({ socket, ...SHAPE }, AbortSignal.abort(), ignore), {
    code: "E_SIMULATOR",
    message: `cannot serve on ${socket}: the socket is in use by another server`,
  });
  using client = await LibvirtClient.open(socket, { deadlineMs: 10_000 });
  assert.ok(client.isOpen);
});

test("a socket that no process listens on is replaced", async (t) => {
  const socket = await socketIn(t);
  const closed = createServer();
  await new Promise<void>((resolve) => closed.listen(`${socket}.new`, resolve));
  // A closed server removes its own path, but not another name of it.
  await link(`${socket}.new`, socket);
  await new Promise((resolve) => closed.close(resolve));
  assert.ok(existsSync(socket));
  const { line } = await start(t, socket);
  assert.match(line, /^3 domains/);
});

test("a file that is not a socket is not deleted", async (t) => {
  const socket = await socketIn(t);
  await writeFile(socket, "another file");
  await assert.rejects(simulate({ socket, ...SHAPE }, AbortSignal.abort(), ignore), { code: "E_SIMULATOR" });
  assert.equal(await readFile(socket, "utf8"), "another file");
});

test("a path that cannot be a socket is an error", async (t) => {
  const dir = await temporaryDirectory(t);
  for (const socket of [path.join(dir, "x".repeat(108)), path.join(dir, "absent", "sock"), dir])
    await assert.rejects(simulate({ socket, ...SHAPE }, AbortSignal.abort(), ignore), { code: "E_SIMULATOR" });
});
