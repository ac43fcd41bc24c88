// Readers of the status port that want to do harm, over real connections.
import assert from "node:assert/strict";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { agentRoutes } from "../../../src/observability/agent-routes.ts";
import type { AgentView } from "../../../src/observability/agent-view.ts";
import {
  HttpServer,
  type HttpServerOptions,
  type Limits,
  type Routes,
} from "../../../src/observability/http-server.ts";
import { agentView, launcher, vm } from "../../support/agent-view.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { atEnd } from "../../support/at-end.ts";

const REQUEST = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

/** Enough answers for a test that is about other things. */
const FAST: Partial<Limits> = { rate: { burst: 1_000, periodMs: 1 } };

async function serve(t: TestContext, routes: Routes, options: Partial<HttpServerOptions> = { limits: FAST }) {
  const faults: unknown[] = [];
  const server = await HttpServer.listen({
    address: { host: "127.0.0.1", port: 0 },
    routes,
    ...options,
    onError: (error) => faults.push(error),
  });
  atEnd(t, () => server[Symbol.asyncDispose]());
  const port = Number(server.address.split(":").at(-1));
  const open = (localAddress = "127.0.0.1"): Socket => {
    const socket = connect({ port, host: "127.0.0.1", localAddress });
    socket.on("error", () => undefined);
    atEnd(t, () => socket.destroy());
    return socket;
  };
  return { url: `http://${server.address}`, faults, open };
}

/** An agent with 600 VMs. Counts its snapshots. */
async function agent(t: TestContext) {
  const clock = new FakeClock();
  const vms = Array.from({ length: 600 }, (_, index) => vm("many", `vm-${index}`, index));
  const { libvirt } = agentView();
  const view: AgentView = agentView({ libvirt: { ...libvirt, endpoints: [launcher("x", vms)] } });
  let snapshots = 0;
  const routes = agentRoutes({
    view: () => {
      snapshots++;
      return view;
    },
    progress: () => view,
    ending: new AbortController().signal,
    clock,
  });
  return { clock, snapshots: () => snapshots, ...(await serve(t, routes)) };
}

test("health answers while 1,700 pipelined requests arrive on each of several connections", async (t) => {
  const { open, url, snapshots, faults } = await agent(t);
  const flood = Array.from({ length: 16 }, () => {
    const socket = open();
    socket.write(REQUEST.repeat(1_700));
    socket.resume();
    return once(socket, "close");
  });
  const health = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(1_000) });
  assert.equal(health.status, 200);
  await Promise.all(flood);
  assert.ok(snapshots() <= 1, String(snapshots()));
  assert.deepEqual(faults, []);
});

test("readers of all pages share one snapshot a second, and health needs none", async (t) => {
  const { clock, url, snapshots } = await agent(t);
  const paths = ["/", "/?page=2", "/?page=3&refresh=off", "/?page=77", "/?x=1", "/healthz", "/readyz"];
  for (let second = 1; second <= 3; second++) {
    const answers = await Promise.all(
      paths
        .flatMap((path) => [path, path, path])
        .map(async (path) => {
          const answer = await fetch(url + path);
          await answer.arrayBuffer();
          return answer.status;
        }),
    );
    assert.deepEqual(new Set(answers), new Set([200]));
    assert.equal(snapshots(), second);
    clock.block(1_000);
  }
  for (let reader = 0; reader < 5; reader++) await (await fetch(`${url}/metrics`)).arrayBuffer();
  assert.equal(snapshots(), 4);
});

test("the second request of a connection is not started before the first is answered", async (t) => {
  let calls = 0;
  const body = "x".repeat(64 * 2 ** 20);
  const { open, url } = await serve(t, {
    "/": () => {
      calls++;
      return { type: "text/plain", body };
    },
    "/healthz": () => ({ type: "text/plain", body: "ok" }),
  });
  const socket = open();
  socket.pause();
  socket.write(REQUEST.repeat(3));
  await once(socket, "readable");
  // The answer does not fit the buffers of the connection, so it stays unfinished while nothing is read.
  assert.equal(await (await fetch(`${url}/healthz`)).text(), "ok");
  assert.equal(calls, 1);
});

test("a few pipelined requests are answered in order, also when they arrive in pieces", async (t) => {
  let calls = 0;
  const { open } = await serve(t, { "/": () => ({ type: "text/plain", body: `answer ${++calls};` }) });
  const socket = open();
  socket.setNoDelay();
  const received = text(socket);
  await once(socket, "connect");
  for (const byte of REQUEST.repeat(2)) await new Promise((resolve) => socket.write(byte, resolve));
  socket.write(REQUEST.repeat(3));
  socket.end(REQUEST);
  assert.deepEqual(
    (await received).match(/answer \d;/g),
    [1, 2, 3, 4, 5, 6].map((number) => `answer ${number};`),
  );
});

test("a request for another host name is answered 421 with what to do", async (t) => {
  const routes: Routes = { "/": () => ({ type: "text/plain", body: "names of VMs" }) };
  const { open } = await serve(t, routes, { allowedHosts: new Set(["node-1.example.com"]) });
  const get = (host: string): Promise<string> => {
    const socket = open();
    socket.end(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    return text(socket);
  };
  const answer = await get("attacker.example:9090");
  assert.match(answer, /^HTTP\/1\.1 421 [^]*use an IP address, or add the name\n$/);
  assert.doesNotMatch(answer, /names of VMs/);
  for (const host of ["127.0.0.1:9090", "localhost", "node-1.example.com:9090"])
    assert.match(await get(host), /^HTTP\/1\.1 200 /, host);
});

test("a flood of connections from one address closes none of another address", async (t) => {
  const { open } = await serve(t, { "/healthz": () => ({ type: "text/plain", body: "ok" }) });
  const kubelet = open("127.0.0.2");
  kubelet.write("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n");
  await once(kubelet, "connect");
  const flood = Array.from({ length: 500 }, () => {
    const socket = open();
    socket.resume();
    return new Promise((resolve) => socket.once("connect", resolve).once("close", resolve));
  });
  await Promise.all(flood);
  // More requests than connections are served since the head of this one began.
  for (let request = 0; request < 100; request++) {
    const socket = open("127.0.0.3");
    socket.end("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    await text(socket).catch(() => "");
  }
  kubelet.end("\r\n");
  assert.match(await text(kubelet), /^HTTP\/1\.1 200 [^]*ok$/);
});

test("a new client is served after a moment if all clients have one connection each", async (t) => {
  const { open } = await serve(t, { "/healthz": () => ({ type: "text/plain", body: "ok" }) });
  const held = [];
  for (let client = 2; client < 102; client++) {
    const socket = open(`127.0.0.${client}`);
    await once(socket, "connect");
    held.push(socket);
  }
  const socket = open();
  socket.end("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
  assert.match(await text(socket), /^HTTP\/1\.1 200 /);
});

test("clients that ask again and again get a bounded number of answers in a second", async (t) => {
  const ok = { type: "text/plain", body: "ok" };
  const { open } = await serve(t, { "/healthz": () => ok }, { limits: { rate: { burst: 50, periodMs: 10 } } });
  const request = "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
  const startedMs = performance.now();
  let answers = 0;
  const enough = Promise.withResolvers<undefined>();
  for (let client = 0; client < 32; client++) {
    const socket = open();
    socket.on("data", () => {
      if (++answers === 100) enough.resolve(undefined);
      socket.write(request);
    });
    socket.write(request);
  }
  await enough.promise;
  assert.ok(performance.now() - startedMs > 400, "a burst of 50, then 100 a second");
});

test("a client that is known does not wait for many new ones", async (t) => {
  const ok = { type: "text/plain", body: "ok" };
  const { open } = await serve(t, { "/healthz": () => ok }, {});
  const ask = (address?: string): Promise<string> => {
    const socket = open(address);
    socket.end("GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
    return text(socket).catch(() => "");
  };
  assert.match(await ask(), /^HTTP\/1\.1 200 /);
  const flood = Array.from({ length: 200 }, (_, index) => ask(`127.0.0.${2 + (index % 100)}`));
  let floodAnswers = 0;
  for (const each of flood) void each.then((answer) => (floodAnswers += answer === "" ? 0 : 1));
  assert.match(await ask(), /^HTTP\/1\.1 200 /);
  assert.ok(floodAnswers < 60, String(floodAnswers));
});

test("connections that wait for a slot are not read", async (t) => {
  const accepted: Socket[] = [];
  const note = (message: unknown): void => {
    accepted.push((message as { readonly socket: Socket }).socket);
  };
  subscribe("net.server.socket", note);
  atEnd(t, () => unsubscribe("net.server.socket", note));
  const { open } = await serve(t, {}, { limits: { ...FAST, connections: 1 } });
  const bytes = `GET / HTTP/1.1\r\nX: ${"x".repeat(4_096)}`;
  const sockets = Array.from({ length: 50 }, () => open());
  await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.write(bytes, resolve))));
  // When one of another client is served, all of them were accepted.
  const other = open("127.0.0.2");
  other.end("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
  assert.match(await text(other), /^HTTP\/1\.1 404 /);
  const waiting = accepted.filter(({ destroyed }) => !destroyed);
  assert.ok(waiting.length >= 40, String(waiting.length));
  assert.ok(waiting.filter(({ bytesRead }) => bytesRead > 0).length <= 2);
});
