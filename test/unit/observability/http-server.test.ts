import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { HttpServer, type HttpServerOptions, type Routes } from "../../../src/observability/http-server.ts";

const ROUTES: Routes = {
  "/": (query) => ({ type: "text/plain", body: `hello ${query.get("name") ?? "you"}` }),
  "/broken": () => {
    throw new Error("what went wrong is nobody's business");
  },
};

async function serve(t: TestContext, change: Partial<HttpServerOptions> = {}) {
  const faults: unknown[] = [];
  const server = await HttpServer.listen({
    address: { host: "127.0.0.1", port: 0 },
    routes: ROUTES,
    faulted: (error) => faults.push(error),
    ...change,
  });
  t.after(() => server[Symbol.asyncDispose]());
  return { server, faults, url: `http://${server.address}` };
}

/** A connection on which nothing, or something, has been said; `ended` resolves to all that came back. */
function raw(
  t: TestContext,
  { address }: HttpServer,
  said = "",
): { readonly socket: Socket; readonly ended: Promise<string> } {
  const port = Number(address.split(":").at(-1));
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  t.after(() => socket.destroy());
  socket.write(said);
  return { socket, ended: text(socket).catch(() => "") };
}

test("a page is served with its query, and HEAD gets its headers only", async (t) => {
  const { url } = await serve(t);
  const answer = await fetch(`${url}/?name=a%26b`);
  assert.deepEqual([answer.status, await answer.text()], [200, "hello a&b"]);
  for (const [name, value] of [
    ["cache-control", "no-store"],
    ["x-content-type-options", "nosniff"],
    ["referrer-policy", "no-referrer"],
  ] as const)
    assert.equal(answer.headers.get(name), value);
  const head = await fetch(url, { method: "HEAD" });
  assert.deepEqual([head.status, head.headers.get("content-length"), await head.text()], [200, "9", ""]);
});

test("other paths are not found, names of object properties among them", async (t) => {
  const { url } = await serve(t);
  for (const path of ["/x", "//", "/constructor", "/__proto__", "/%2e%2e/etc/passwd"])
    assert.equal((await fetch(url + path)).status, 404, path);
});

test("other methods are refused, and what they send is thrown away with their connection", async (t) => {
  const { url, server } = await serve(t);
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
    const answer = await fetch(url, { method });
    assert.deepEqual([answer.status, answer.headers.get("allow")], [405, "GET, HEAD"], method);
  }
  const { ended } = raw(t, server, `POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000000000\r\n\r\nabc`);
  assert.match(await ended, /^HTTP\/1\.1 405 /);
  const withBody = raw(t, server, `GET / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n`);
  assert.match(await withBody.ended, /^HTTP\/1\.1 200 [^]*connection: close/i);
});

test("what cannot be answered says nothing of why to the client", async (t) => {
  const { url, faults } = await serve(t);
  const answer = await fetch(`${url}/broken`);
  assert.equal(answer.status, 500);
  assert.doesNotMatch(await answer.text(), /nobody's business/);
  assert.match(String(faults[0]), /nobody's business/);
  assert.equal((await fetch(url)).status, 200);
});

test("a port that is taken, and an address that is not this host's, are errors with a remedy", async (t) => {
  const { server } = await serve(t);
  const port = Number(server.address.split(":").at(-1));
  await assert.rejects(serve(t, { address: { host: "127.0.0.1", port } }), {
    code: "E_LISTEN",
    message: /^cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE.* --listen off$/,
  });
  await assert.rejects(serve(t, { address: { host: "192.0.2.1", port: 0 } }), { code: "E_LISTEN" });
});

test("without a host every address is listened on", async (t) => {
  const { server } = await serve(t, { address: { host: undefined, port: 0 } });
  const port = Number(server.address.split(":").at(-1));
  assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200);
});

test("who holds connections keeps nobody out: a newcomer ends the oldest", async (t) => {
  const { server, url } = await serve(t, { limits: { connections: 3, headersMs: 60_000, idleMs: 60_000 } });
  const held = [];
  for (let index = 0; index < 3; index++) {
    const connection = raw(t, server, "GET / HT");
    await once(connection.socket, "connect");
    held.push(connection);
  }
  const answer = await fetch(url, { headers: { connection: "close" } });
  assert.equal(await answer.text(), "hello you");
  assert.equal(await held[0]?.ended, "");
  assert.deepEqual(
    held.map(({ socket }) => socket.closed),
    [true, false, false],
  );
});

test("a client that is slow with its request, and one that says no more, are let go of", async (t) => {
  const { server } = await serve(t, { limits: { connections: 10, headersMs: 50, idleMs: 100 } });
  assert.match(await raw(t, server, "GET / HTTP/1.1\r\nhost: x\r\n").ended, /^(HTTP\/1\.1 408 |$)/);
  assert.match(await raw(t, server).ended, /^(HTTP\/1\.1 408 |$)/);
  const idle = await raw(t, server, "GET / HTTP/1.1\r\nhost: x\r\n\r\n").ended;
  assert.match(idle, /^HTTP\/1\.1 200 [^]*hello you$/);
});

test("headers without end, and what is no HTTP, are refused", async (t) => {
  const { server, url } = await serve(t);
  assert.match(await raw(t, server, `GET / HTTP/1.1\r\nx: ${"a".repeat(20_000)}`).ended, /^HTTP\/1\.1 431 /);
  assert.match(await raw(t, server, "\x16\x03\x01\x02\x00\x01").ended, /^HTTP\/1\.1 400 /);
  assert.equal((await fetch(url)).status, 200);
});

test("it ends at once, whoever is connected", async (t) => {
  const { server } = await serve(t);
  const { ended } = raw(t, server, "GET / HT");
  await server[Symbol.asyncDispose]();
  assert.equal(await ended, "");
});
