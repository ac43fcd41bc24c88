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
      "the connection is closed without HTTP/2 frames",
      ({ server }) => {
        server.endConnections();
      },
    ],
    ["the server is killed", ({ server }) => server.kill()],
    [
      "the server sends GOAWAY with an error",
      ({ server }) => {
        server.goAway(constants.NGHTTP2_INTERNAL_ERROR);
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
    test(`a watch fails, and does not seem to end normally, when ${what}`, async () => {
      await using bench = await KubeBench.start();
      const watch = await bench.openWatch();
      await bench.until("the watch is open", () => bench.server.watches.size === 1);
      const end = assert.rejects(drain(watch), failsWith("E_KUBE_CLOSED"));
      await spoil(bench);
      await end;
    });
  }

  test("a request fails when the connection is reset; the next one opens a new connection", async () => {
    await using bench = await KubeBench.start();
    bench.server.faults.push({ kind: "reset" });
    await assert.rejects(bench.api.request(LIST), failsWith("E_KUBE_CLOSED"));
    assert.equal((await bench.ask()).status, 200);
    assert.match(bench.events.join(), /^connected,disconnected E_KUBE_UNREACHABLE .*ECONNRESET.*,connected$/);
  });

  test("an outage is reported once, even if many requests fail", async () => {
    await using bench = await KubeBench.start();
    await bench.api.request(LIST);
    await bench.server.kill();
    await bench.until("the outage is noticed", () => bench.of("disconnected").length === 1);
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

  test("a request without an answer ends at its deadline; the connection stays open", async () => {
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

  test("a watch without an answer is cancelled", async () => {
    await using bench = await KubeBench.start();
    bench.server.faults.push({ kind: "hang" });
    const watch = assert.rejects(bench.api.watch({ ...LIST, lifetimeMs: 600_000 }), failsWith("E_KUBE_TIMEOUT"));
    await bench.until("the request has arrived", () => bench.server.streams.size === 1);
    await bench.clock.advance(30_000);
    await watch;
    await bench.until("the stream is gone", () => bench.server.streams.size === 0);
  });

  test("a watch that the server does not end is cancelled", async () => {
    await using bench = await KubeBench.start();
    const watch = await bench.openWatch(20_000);
    const end = assert.rejects(
      drain(watch),
      failsWith("E_KUBE_TIMEOUT", /the server did not end the watch of .* within 20000 ms/),
    );
    await bench.clock.advance(20_000);
    await end;
    await bench.until("the stream is gone", () => bench.server.streams.size === 0);
  });

  test("the caller's signal cancels a request and a watch immediately", async () => {
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

  test("leaving the loop over a watch cancels it", async () => {
    await using bench = await KubeBench.start();
    const watch = await bench.openWatch();
    bench.put("a");
    for await (const line of watch.lines) {
      assert.equal((line as { type: string }).type, "ADDED");
      break;
    }
    await bench.until("the stream is gone", () => bench.server.streams.size === 0);
  });

  test("a ping detects a connection without an answer within 45 seconds", async () => {
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

  test("a reset in the middle of a long answer is noticed immediately", async () => {
    await using bench = await KubeBench.start();
    // More than 32 KiB, after which the client would widen a default window, and one chunk for the client.
    bench.server.faults.push({ kind: "bytes", bytes: " ".repeat(60_000), then: "reset" });
    await assert.rejects(bench.api.request(LIST), failsWith("E_KUBE_CLOSED"));
    assert.equal((await bench.ask()).status, 200);
  });

  /** Sends more than the network accepts. Resolves to the request, whose body is not completely written. */
  async function sendTooMuch(bench: KubeBench, relay: TcpRelay): Promise<{ readonly request: Promise<KubeAnswer> }> {
    await bench.api.request(LIST);
    relay.freeze();
    const body = " ".repeat(16_000_000);
    const request = bench.api.request({ ...LIST, method: "POST", body, deadlineMs: 100_000 });
    await bench.until("the network accepts no more", () => relay.isFull);
    return { request };
  }

  test("a ping detects a connection that accepts no data, and the next request replaces it", async () => {
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

  test("closing does not wait for a connection that accepts no data", async () => {
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

  test("an idle connection that answers pings stays open", async () => {
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

  test("after GOAWAY new requests use a new connection, and a watch ends within 40 seconds", async () => {
    await using bench = await KubeBench.start();
    const watch = await bench.openWatch();
    const end = assert.rejects(drain(watch), failsWith("E_KUBE_CLOSED", /the agent closed the connection/));
    bench.server.goAway();
    while (bench.server.totalConnections === 1) assert.equal((await bench.ask()).status, 200);
    assert.equal(bench.server.openConnections, 2);
    await bench.clock.advance(40_000);
    await end;
    await bench.until("the old connection is gone", () => bench.server.openConnections === 1);
    assert.deepEqual(bench.of("disconnected"), []);
  });

  test("closing does not wait for a server that has sent GOAWAY and keeps the connection open", async () => {
    await using bench = await KubeBench.start();
    await bench.ask();
    bench.server.goAway();
    while (bench.server.totalConnections === 1) await bench.ask();
    await bench.api[Symbol.asyncDispose]();
    await bench.until("the newer connection is gone", () => bench.server.openConnections === 1);
  });

  test("closing cancels requests and watches, and leaves no socket and no timer", async () => {
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
