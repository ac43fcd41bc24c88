// Proxies and TLS servers that want to do harm, and answers that are costly to read.
import assert from "node:assert/strict";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { openHttp, type Answer } from "../../../src/delivery/http/http-client.ts";
import { classify } from "../../../src/delivery/influx/rules.ts";
import { atEnd } from "../../support/at-end.ts";
import { CertificateAuthority } from "../../support/certificates.ts";
import { BEHIND_PROXY, behindProxy, HttpProxy } from "../../support/http-proxy.ts";
import { FakeInflux } from "../../support/fake-influx.ts";

const never = new AbortController().signal;
const SETTINGS = { timeoutMs: 3_600_000, path: "/", headers: {}, secrets: [] };

async function listen(t: TestContext, behave: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("data", () => {
      behave(socket);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(t, () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

async function postThrough(t: TestContext, behave: (socket: Socket) => void): Promise<Answer> {
  const proxies = { https_proxy: `http://127.0.0.1:${await listen(t, behave)}` };
  const http = openHttp({ ...SETTINGS, url: "https://influx.example", tls: { mode: "Verify" }, proxies });
  atEnd(t, () => {
    http.close();
  });
  return http.post(Buffer.from("x"), never);
}

test("a proxy that answers CONNECT without end is disconnected", async (t) => {
  const answer = await postThrough(t, (socket) => {
    const send = (): void => {
      while (socket.writable && socket.write("x".repeat(16_000)));
      if (socket.writable) socket.once("drain", send);
    };
    send();
  });
  assert.match("failure" in answer ? answer.failure : "", /the proxy's answer to CONNECT is too long/);
});

// Each packet doubled the listeners of Node: 25 of them took a second and 300 MB.
test("a proxy that answers CONNECT one byte at a time costs no more than one that answers at once", async (t) => {
  const warnings: Error[] = [];
  const note = (warning: Error): void => void warnings.push(warning);
  process.on("warning", note);
  atEnd(t, () => process.off("warning", note));
  const text = `HTTP/1.1 503 ${"x".repeat(50)}\r\n\r\n`;
  const answer = await postThrough(t, (socket) => {
    socket.setNoDelay(true);
    let sent = 0;
    const timer = setInterval(() => {
      if (sent === text.length || !socket.writable) clearInterval(timer);
      else socket.write(text.charAt(sent++));
    }, 5);
  });
  assert.match("failure" in answer ? answer.failure : "", /HTTP\/1\.1 503 x{50}/);
  assert.deepEqual(warnings, []);
});

const available = CertificateAuthority.available();
if (!available && process.env["CI"] === "true") throw new Error("openssl is missing: install it");

test("an answer of 60 kB arrives through a proxy's tunnel", { skip: !available }, async (t) => {
  using authority = new CertificateAuthority("test authority");
  await using influx = await FakeInflux.start({ version: "v2", tls: authority.issue("a", `DNS:${BEHIND_PROXY}`) });
  await using proxy = await HttpProxy.start();
  influx.fault = { kind: "status", status: 400, body: "x".repeat(60_000) };
  const proxies = { https_proxy: proxy.address };
  const url = behindProxy(influx.url);
  const http = openHttp({ ...SETTINGS, url, tls: { mode: "Verify", ca: authority.cert }, proxies });
  atEnd(t, () => {
    http.close();
  });
  for (let round = 0; round < 2; round++) {
    const answer = await http.post(Buffer.from("x"), never);
    assert.equal("body" in answer ? answer.body.length : answer.failure, 60_000);
  }
  assert.equal(proxy.requests.length, 1);
});

test("a server that asks for one TLS handshake after the other is disconnected", { skip: !available }, async (t) => {
  using authority = new CertificateAuthority("test authority");
  let handshakes = 0;
  const sockets = new Set<TLSSocket>();
  const server = createTlsServer({ ...authority.issue("a", "IP:127.0.0.1"), maxVersion: "TLSv1.2" }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    const again = (): void => {
      socket.renegotiate({}, (error) => {
        handshakes++;
        if (error !== null || socket.destroyed) socket.destroy();
        else again();
      });
    };
    socket.once("data", again);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  atEnd(t, () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const http = openHttp({ ...SETTINGS, url, tls: { mode: "Verify", ca: authority.cert } });
  atEnd(t, () => {
    http.close();
  });
  assert.ok("failure" in (await http.post(Buffer.from("x"), never)));
  assert.ok(handshakes <= 2, `${handshakes} handshakes`);
});

const SIZE = 64 * 1024;
const PIECES = [
  "max-",
  "max-a-",
  "would exceed ",
  "would exceed limit of ",
  "dropped=1 ",
  "unable to parse '",
  "': ",
  " ",
  "\n",
];

for (const piece of PIECES)
  test(`an answer that repeats ${JSON.stringify(piece)} up to its limit is read in linear time`, () => {
    const context = { lines: 5, protocol: { version: "v1", database: "x" }, nowMs: 0 } as const;
    const before = process.threadCpuUsage();
    for (const start of ["", '{"error":"', "unable to parse '", "dropped=1"]) {
      const text = start + piece.repeat(SIZE / piece.length);
      const listed = JSON.stringify({ error: "x", data: [{ error_message: text }] });
      for (const body of [text, JSON.stringify({ error: text }), listed]) classify({ status: 400, body }, context);
    }
    const { user } = process.threadCpuUsage(before);
    // Reading in quadratic time takes a second or more for each answer, in linear time a millisecond.
    assert.ok(user < 500_000, `${user} us`);
  });
