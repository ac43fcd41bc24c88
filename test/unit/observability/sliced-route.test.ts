import assert from "node:assert/strict";
import { connect } from "node:net";
import { once } from "node:events";
import { test, type TestContext } from "node:test";
import { HttpServer } from "../../../src/observability/http-server.ts";
import { slicedRoute } from "../../../src/observability/sliced-route.ts";
import { atEnd } from "../../support/at-end.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { turns } from "../../support/turns.ts";

const { signal: never } = new AbortController();

async function serve(t: TestContext, pieces: () => Iterable<string> | undefined) {
  const clock = new FakeClock();
  const faults: unknown[] = [];
  const server = await HttpServer.listen({
    address: { host: "127.0.0.1", port: 0 },
    routes: { "/vms": slicedRoute(clock, never, pieces) },
    onError: (error) => faults.push(error),
  });
  atEnd(t, () => server[Symbol.asyncDispose]());
  return { clock, faults, url: `http://${server.address}/vms`, port: Number(server.address.split(":").at(-1)) };
}

test("a text in pieces arrives whole, with its length", async (t) => {
  const { url } = await serve(t, () => ["ä\n", "", "b\n"]);
  const answer = await fetch(url);
  assert.deepEqual([answer.headers.get("content-length"), await answer.text()], ["5", "ä\nb\n"]);
  const head = await fetch(url, { method: "HEAD" });
  assert.deepEqual([head.headers.get("content-length"), await head.text()], ["5", ""]);
});

test("all clients of a second share one text, and without clients none is made", async (t) => {
  let made = 0;
  const { url, clock } = await serve(t, () => [`${++made}\n`]);
  assert.equal(made, 0);
  const texts = await Promise.all([1, 2, 3].map(async () => (await fetch(url)).text()));
  assert.deepEqual(texts, ["1\n", "1\n", "1\n"]);
  await clock.advance(1_000);
  assert.equal(made, 1);
  assert.equal(await (await fetch(url)).text(), "2\n");
});

test("other work runs between two pieces", async () => {
  const seen: boolean[] = [];
  const route = slicedRoute(new FakeClock(), never, function* () {
    for (let piece = 0; piece < 3; piece++) {
      let ran = false;
      setImmediate(() => (ran = true));
      yield "x\n";
      seen.push(ran);
    }
  });
  await route(new URLSearchParams());
  assert.deepEqual(seen, [true, true, true]);
});

test("a failure while a text is made returns 500, and the next second tries again", async (t) => {
  let calls = 0;
  const { url, clock, faults } = await serve(t, function* () {
    yield "a\n";
    if (++calls === 1) throw new Error("a bug");
  });
  assert.equal((await fetch(url)).status, 500);
  assert.equal(faults.length, 1);
  await clock.advance(1_000);
  assert.equal((await fetch(url)).status, 200);
});

test("until the agent has started the answer is 503", async (t) => {
  const { url } = await serve(t, () => undefined);
  assert.equal((await fetch(url)).status, 503);
});

test("a client that leaves while its text is made disturbs no other", async (t) => {
  let leave: () => void = () => undefined;
  const { url, port, faults } = await serve(t, function* () {
    yield "a\n";
    leave();
    for (let piece = 0; piece < 50; piece++) yield "b\n";
  });
  const socket = connect(port, "127.0.0.1", () => socket.write("GET /vms HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
  const left = new Promise<void>((resolve) => {
    leave = () => {
      socket.resetAndDestroy();
      resolve();
    };
  });
  await left;
  assert.equal((await (await fetch(url)).text()).length, 102);
  assert.deepEqual(faults, []);
});

test("a client that does not take its text is cut off when two newer ones are made", async (t) => {
  const piece = "x".repeat(1 << 20);
  const { url, port, clock } = await serve(t, () => Array.from({ length: 32 }, () => piece));
  const slow = connect(port, "127.0.0.1", () => slow.write("GET /vms HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"));
  atEnd(t, () => slow.destroy());
  const closed = once(slow, "close");
  await once(slow, "readable");
  slow.on("error", () => undefined);
  for (let text = 0; text < 2; text++) {
    await clock.advance(1_000);
    assert.equal((await (await fetch(url)).text()).length, 32 << 20);
    await turns(5);
    assert.equal(slow.closed, false);
  }
  slow.resume();
  await closed;
  assert.ok(slow.bytesRead < 32 << 20, `${slow.bytesRead}`);
});
