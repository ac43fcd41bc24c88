import assert from "node:assert/strict";
import { constants } from "node:http2";
import { suite, test } from "node:test";
import type { KubeAnswer } from "../../src/kubernetes/answer.ts";
import { drain, failsWith, KubeBench, THINGS } from "../support/kube-bench.ts";
import { skipWithoutOpenssl } from "../support/openssl.ts";
import { TcpRelay } from "../support/tcp-relay.ts";

const skip = skipWithoutOpenssl("faults of the connection to the Kubernetes API");

const LIST = { path: THINGS };

void suite("the connection to the Kubernetes API", { skip }, () => {
  test("requests and watches share one connection", async () => {
    await using bench = await KubeBench.start();
    const first = await bench.openWatch();
    const watches = [drain(first), drain(await bench.openWatch())];
    const answers = await Promise.all(Array.from({ length: 50 }, () => bench.api.request(LIST)));
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [200]);
    bench.server.endWatches();
    await Promise.all(watches);
    assert.equal(bench.server.totalConnections, 1);
    assert.deepEqual(bench.events, ["connected"]);
  });

  const BREAKS: readonly (readonly [string, (bench: KubeBench) => unknown])[] = [
    [
      "the connection is reset",
      ({ server }) => {
        server.resetConnections();
      },
    ],
    [
      "the connection is closed without a word",
      ({ server }) => {
        server.endConnections();
      },
    ],
    ["the server is killed", ({ server }) => server.kill()],
    [
      "the server says goodbye with an error",
      ({ server }) => {
        server.sayGoodbye(constants.NGHTTP2_INTERNAL_ERROR);
      },
    ],
    [
      "the server ends the session",
      ({ server }) => {
        server.destroySessions();
      },
    ],
    [
      "its stream is reset",
      ({ server }) => {
        server.resetWatches();
      },
    ],
  ];
  for (const [what, spoil] of BREAKS) {
    test(`a watch breaks off, and does not seem to end in order, when ${what}`, async () => {
      await using bench = await KubeBench.start();
      const watch = await bench.openWatch();
      await bench.until("the watch is open", () => bench.server.watches.size === 1);
      const end = assert.rejects(drain(watch), failsWith("E_KUBE_CLOSED"));
      await spoil(bench);
      await end;
    });
  }

  test("a request fails when the connection is reset, and the next one makes a new connection", async () => {
    await using bench = await KubeBench.start();
    bench.server.faults.push({ kind: "reset" });
    await assert.rejects(bench.api.request(LIST), failsWith("E_KUBE_CLOSED"));
    assert.equal((await bench.ask()).status, 200);
    assert.match(bench.events.join(), /^connected,disconnected E_KUBE_UNREACHABLE .*ECONNRESET.*,connected$/);
  });

  test("an outage is reported once, however many requests fail in it", async () => {
    await using bench = await KubeBench.start();
    await bench.api.request(LIST);
    await bench.server.kill();
    await bench.until("it is noticed", () => bench.of("disconnected").length === 1);
    for (let attempt = 0; attempt < 3; attempt++)
      await assert.rejects(bench.ask(), failsWith("E_KUBE_UNREACHABLE", /nothing listens there/));
    await bench.server.listen();
    assert.equal((await bench.ask()).status, 200);
    assert.equal(bench.of("connected").length, 2);
    assert.equal(bench.of("disconnected").length, 1);
  });

  test("requests that wait for a connection share one attempt", async () => {
    await using bench = await KubeBench.start();
    await Promise.all([bench.api.request(LIST), bench.api.request(LIST), bench.api.request(LIST)]);
    assert.equal(bench.server.totalConnections, 1);
  });

  test("a request without an answer ends at its deadline, and leaves the connection and nothing else", async () => {
    await using bench = await KubeBench.start();
    bench.server.faults.push({ kind: "hang" });
    const request = assert.rejects(
      bench.api.request({ ...LIST, deadlineMs: 5_000 }),
      failsWith("E_KUBE_TIMEOUT", /no answer to .*things within 5000 ms/),
    );
    await bench.until("the request has arrived", () => bench.server.streams.size === 1);
    await bench.clock.advance(5_000);
    await request;
    await bench.until("the stream is gone", () => bench.server.streams.size === 0);
    assert.equal((await bench.api.request(LIST)).status, 200);
    assert.equal(bench.server.totalConnections, 1);
  });

  test("a watch that the server never answers is given up", async () => {
    await using bench = await KubeBench.start();
    bench.server.faults.push({ kind: "hang" });
    const watch = assert.rejects(bench.api.watch({ ...LIST, lifetimeMs: 600_000 }), failsWith("E_KUBE_TIMEOUT"));
    await bench.until("the request has arrived", () => bench.server.streams.size === 1);
    await bench.clock.advance(30_000);
    await watch;
    await bench.until("the stream is gone", () => bench.server.streams.size === 0);
  });

  test("a watch that the server does not end is cut", async () => {
    await using bench = await KubeBench.start();
    const watch = await bench.openWatch(20_000);
    const end = assert.rejects(drain(watch), failsWith("E_KUBE_TIMEOUT", /not ended by the server within 20000 ms/));
    await bench.clock.advance(20_000);
    await end;
    await bench.until("the stream is gone", () => bench.server.streams.size === 0);
  });

  test("the caller's signal ends a request and a watch at once", async () => {
    await using bench = await KubeBench.start();
    const stop = new AbortController();
    bench.server.faults.push({ kind: "hang" });
    const request = assert.rejects(bench.api.request({ ...LIST, signal: stop.signal }), failsWith("E_KUBE_CLOSED"));
    const query = { watch: true, resourceVersion: bench.server.objects.version };
    await bench.until("the request has arrived", () => bench.server.streams.size === 1);
    const watch = await bench.api.watch({ ...LIST, query, lifetimeMs: 600_000, signal: stop.signal });
    assert.ok("lines" in watch);
    const end = assert.rejects(drain(watch));
    stop.abort();
    await Promise.all([request, end]);
    await bench.until("the streams are gone", () => bench.server.streams.size === 0);
    assert.equal(bench.server.totalConnections, 1);
  });

  test("leaving the loop over a watch ends it", async () => {
    await using bench = await KubeBench.start();
    const watch = await bench.openWatch();
    bench.put("a");
    for await (const line of watch.lines) {
      assert.equal((line as { type: string }).type, "ADDED");
      break;
    }
    await bench.until("the stream is gone", () => bench.server.streams.size === 0);
  });

  test("a connection through which nothing comes is found dead by a ping within 45 seconds", async () => {
    await using bench: KubeBench = await KubeBench.start({
      readAccess: () => bench.access("t", `https://127.0.0.1:${relay.port}`),
    });
    await using relay = await TcpRelay.start(Number(new URL(bench.server.url).port));
    const end = assert.rejects(drain(await bench.openWatch()), failsWith("E_KUBE_TIMEOUT", /no answer to a ping/));
    relay.freeze();
    await bench.clock.advance(30_000);
    assert.deepEqual(bench.events, ["connected"]);
    await bench.clock.advance(15_000);
    await end;
    assert.match(bench.events.join(), /^connected,disconnected E_KUBE_TIMEOUT no answer to a ping within 15000 ms$/);
  });

  test("a reset after a part of a long answer is noticed at once", async () => {
    await using bench = await KubeBench.start();
    // More than the 32 KiB after which a small window would be widened, and one piece for the client.
    bench.server.faults.push({ kind: "bytes", bytes: " ".repeat(60_000), then: "reset" });
    await assert.rejects(bench.api.request(LIST), failsWith("E_KUBE_CLOSED"));
    assert.equal((await bench.ask()).status, 200);
  });

  /** Sends more than the network takes. Resolves to the request, on a connection that is dead and has not written all. */
  async function sendTooMuch(bench: KubeBench, relay: TcpRelay): Promise<{ readonly request: Promise<KubeAnswer> }> {
    await bench.api.request(LIST);
    relay.freeze();
    const body = " ".repeat(16_000_000);
    const request = bench.api.request({ ...LIST, method: "POST", body, deadlineMs: 100_000 });
    await bench.until("the network takes no more", () => relay.isFull);
    return { request };
  }

  test("a connection that takes nothing any more is found dead by a ping, and replaced", async () => {
    let port = 0;
    await using bench = await KubeBench.start({ readAccess: () => bench.access("t", `https://127.0.0.1:${port}`) });
    await using relay = await TcpRelay.start(Number(new URL(bench.server.url).port));
    port = relay.port;
    const { request } = await sendTooMuch(bench, relay);
    const failed = assert.rejects(request, failsWith("E_KUBE_TIMEOUT", /no answer to a ping/));
    await bench.clock.advance(45_000);
    await failed;
    assert.match(bench.events.join(), /^connected,disconnected E_KUBE_TIMEOUT no answer to a ping within 15000 ms$/);
    assert.equal((await bench.ask()).status, 200);
    assert.equal(bench.of("connected").length, 2);
  });

  test("closing does not wait for a connection that takes nothing any more", async () => {
    let port = 0;
    await using bench = await KubeBench.start({ readAccess: () => bench.access("t", `https://127.0.0.1:${port}`) });
    await using relay = await TcpRelay.start(Number(new URL(bench.server.url).port));
    port = relay.port;
    const { request } = await sendTooMuch(bench, relay);
    const failed = assert.rejects(request, failsWith("E_KUBE_CLOSED"));
    const closed = bench.api[Symbol.asyncDispose]();
    await failed;
    await bench.clock.advance(1_000);
    await closed;
  });

  test("a quiet connection that answers pings stays", async () => {
    await using bench = await KubeBench.start();
    const watch = drain(await bench.openWatch());
    for (let minute = 0; minute < 8; minute++) {
      await bench.clock.advance(30_000);
      await bench.api.request(LIST);
    }
    assert.deepEqual(bench.events, ["connected"]);
    bench.server.endWatches();
    await watch;
  });

  test("after a goodbye new requests take a new connection, and a watch moves within 40 seconds", async () => {
    await using bench = await KubeBench.start();
    const watch = await bench.openWatch();
    const end = assert.rejects(drain(watch), failsWith("E_KUBE_CLOSED", /connection was left/));
    bench.server.sayGoodbye();
    while (bench.server.totalConnections === 1) assert.equal((await bench.ask()).status, 200);
    assert.equal(bench.server.openConnections, 2);
    await bench.clock.advance(40_000);
    await end;
    await bench.until("the old connection is gone", () => bench.server.openConnections === 1);
    assert.deepEqual(bench.of("disconnected"), []);
  });

  test("closing does not wait for a server that has said goodbye and keeps its end open", async () => {
    await using bench = await KubeBench.start();
    await bench.ask();
    bench.server.sayGoodbye();
    while (bench.server.totalConnections === 1) await bench.ask();
    await bench.api[Symbol.asyncDispose]();
    await bench.until("the newer connection is gone", () => bench.server.openConnections === 1);
  });

  test("closing ends requests and watches, and leaves no socket and no timer", async () => {
    await using bench = await KubeBench.start();
    const watch = assert.rejects(drain(await bench.openWatch()), failsWith("E_KUBE_CLOSED"));
    bench.server.faults.push({ kind: "hang" });
    const request = assert.rejects(bench.api.request(LIST), failsWith("E_KUBE_CLOSED"));
    await bench.until("both have arrived", () => bench.server.streams.size === 2);
    await bench.api[Symbol.asyncDispose]();
    await Promise.all([watch, request]);
    await bench.until("the connection is gone", () => bench.server.openConnections === 0);
    await assert.rejects(bench.api.request(LIST), failsWith("E_KUBE_CLOSED", /the client was closed/));
    assert.deepEqual(bench.events, ["connected"]);
    assert.equal(bench.clock.sleeping, 0);
  });
});
