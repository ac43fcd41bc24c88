import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { HttpServer, type HttpServerOptions, type Routes } from "../../../src/observability/http-server.ts";
import { atEnd } from "../../support/at-end.ts";

const ROUTES: Routes = {
  "/": (query) => ({ type: "text/plain", body: `hello ${query.get("name") ?? "you"}` }),
  "/broken": () => {
    throw new Error("internal detail");
  },
};

async function serve(t: TestContext, change: Partial<HttpServerOptions> = {}) {
  const faults: unknown[] = [];
  const server = await HttpServer.listen({
    address: { host: "127.0.0.1", port: 0 },
    routes: ROUTES,
    onError: (error) => faults.push(error),
    ...change,
  });
  atEnd(t, () => server[Symbol.asyncDispose]());
  return { server, faults, url: `http://${server.address}` };
}

/** Opens a connection and writes `sent`; `ended` resolves to everything received. */
function raw(
  t: TestContext,
  { address }: HttpServer,
  sent = "",
): { readonly socket: Socket; readonly ended: Promise<string> } {
  const port = Number(address.split(":").at(-1));
  const socket = connect(port, "127.0.0.1");
  socket.on("error", () => undefined);
  atEnd(t, () => socket.destroy());
  socket.write(sent);
  return { socket, ended: text(socket).catch(() => "") };
}

test("GET returns a page made with its query, and HEAD returns only the headers", async (t) => {
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

test("unknown paths return 404, also names of object properties", async (t) => {
  const { url } = await serve(t);
  for (const path of ["/x", "//", "/constructor", "/__proto__", "/%2e%2e/etc/passwd"])
    assert.equal((await fetch(url + path)).status, 404, path);
});

test("other methods return 405, and a request body is discarded with its connection", async (t) => {
  const { url, server } = await serve(t);
  for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "PATCH"]) {
    const answer = await fetch(url, { method });
    assert.deepEqual([answer.status, answer.headers.get("allow")], [405, "GET, HEAD"], method);
  }
  const { ended } = raw(t, server, `POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 1000000000\r\n\r\nabc`);
  assert.match(await ended, /^HTTP\/1\.1 405 /);
  const withBody = raw(t, server, `GET / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n`);
  assert.match(await withBody.ended, /^HTTP\/1\.1 200 [^]*connection: close/i);
});

test("a failing route returns 500 without details", async (t) => {
  const { url, faults } = await serve(t);
  const answer = await fetch(`${url}/broken`);
  assert.equal(answer.status, 500);
  assert.doesNotMatch(await answer.text(), /internal detail/);
  assert.match(String(faults[0]), /internal detail/);
  assert.equal((await fetch(url)).status, 200);
});

test("an occupied port and a foreign address fail with E_LISTEN and a remedy", async (t) => {
  const { server } = await serve(t);
  const port = Number(server.address.split(":").at(-1));
  await assert.rejects(serve(t, { address: { host: "127.0.0.1", port } }), {
    code: "E_LISTEN",
    message: /^cannot listen on 127\.0\.0\.1:\d+: .*EADDRINUSE.* --listen off$/,
  });
  await assert.rejects(serve(t, { address: { host: "192.0.2.1", port: 0 } }), { code: "E_LISTEN" });
});

test("without a host the server listens on all addresses", async (t) => {
  const { server } = await serve(t, { address: { host: undefined, port: 0 } });
  const port = Number(server.address.split(":").at(-1));
  assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200);
});

test("above the limit a new connection replaces the oldest one of its client after a moment", async (t) => {
  const { server, url } = await serve(t, {
    limits: { connections: 3, minimumMs: 50, headMs: 60_000, idleMs: 60_000 },
  });
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

test("slow and idle clients are disconnected", async (t) => {
  const { server } = await serve(t, { limits: { connections: 10, minimumMs: 1_000, headMs: 50, idleMs: 100 } });
  assert.match(await raw(t, server, "GET / HTTP/1.1\r\nhost: localhost\r\n").ended, /^(HTTP\/1\.1 408 |$)/);
  assert.match(await raw(t, server).ended, /^(HTTP\/1\.1 408 |$)/);
  const idle = await raw(t, server, "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").ended;
  assert.match(idle, /^HTTP\/1\.1 200 [^]*hello you$/);
});

test("endless headers and invalid HTTP are rejected", async (t) => {
  const { server, url } = await serve(t);
  assert.match(await raw(t, server, `GET / HTTP/1.1\r\nx: ${"a".repeat(20_000)}`).ended, /^HTTP\/1\.1 431 /);
  assert.match(await raw(t, server, "\x16\x03\x01\x02\x00\x01").ended, /^HTTP\/1\.1 400 /);
  assert.equal((await fetch(url)).status, 200);
});

test("disposing closes open connections at once", async (t) => {
  const { server } = await serve(t);
  const { ended } = raw(t, server, "GET / HT");
  await server[Symbol.asyncDispose]();
  assert.equal(await ended, "");
});
