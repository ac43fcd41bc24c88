import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { KubeBench, THINGS } from "../support/kube-bench.ts";
import { skipWithoutOpenssl } from "../support/openssl.ts";

const skip = skipWithoutOpenssl("the reflector");

/** Starts a reflector, and resolves to it when it is synced and has an open watch on a server with the things `a` and `b`. */
async function watching(bench: KubeBench, options: Parameters<KubeBench["reflect"]>[0] = {}) {
  bench.put("a");
  bench.put("b");
  const reflector = bench.reflect(options);
  assert.equal(await reflector.synced, true);
  await bench.until("the watch is open", () => bench.server.watches.size === 1);
  return reflector;
}

const watchesOf = (bench: KubeBench) => bench.server.requestsOf(THINGS).filter(({ query }) => query["watch"]);
const listsOf = (bench: KubeBench) => bench.server.requestsOf(THINGS).filter(({ query }) => !query["watch"]);

void suite("a reflector", { skip }, () => {
  test("has the existing objects and follows their changes", async () => {
    await using bench = await KubeBench.start();
    const changes: string[] = [];
    const reflector = await watching(bench, {
      onChange: ({ key, before, after }) => changes.push(`${key} ${String(before?.value)} ${String(after?.value)}`),
    });
    bench.put("a", "other");
    bench.put("c");
    bench.delete("b");
    await bench.until("all has arrived", () => changes.length === 5);
    assert.deepEqual(changes, [
      "default/a undefined a",
      "default/b undefined b",
      "default/a a other",
      "default/c undefined c",
      "default/b b undefined",
    ]);
    assert.deepEqual(
      [...reflector.objects.values()].map(({ value }) => value),
      ["other", "c"],
    );
    assert.deepEqual(reflector.counters, { lists: 1, watches: 1, reconnects: 0, events: 3, missedFoundByRelist: 0 });
    assert.deepEqual(bench.events, ["connected", "listed 2, missed 0"]);
  });

  test("calls a handler after the store has the change, also for a list", async () => {
    await using bench = await KubeBench.start();
    const sizes: number[] = [];
    let objects: ReadonlyMap<string, unknown> = new Map();
    const onChange = (): void => {
      sizes.push(objects.size);
    };
    bench.put("a");
    bench.put("b");
    const reflector = bench.reflect({ onChange });
    objects = reflector.objects;
    await bench.until("the watch is open", () => bench.server.watches.size === 1);
    bench.delete("a");
    await bench.until("it has arrived", () => sizes.length === 3);
    assert.deepEqual(sizes, [2, 2, 1]);
  });

  test("requests bookmarks, an end after five to ten minutes, and only selected objects", async () => {
    await using bench = await KubeBench.start({ random: () => 0.999 });
    const labelSelector = "node=here";
    bench.put("elsewhere", 1, { node: "there" });
    const reflector = await watching(bench, { query: { labelSelector } });
    bench.put("mine", 1, { node: "here" });
    await bench.until("it has arrived", () => reflector.objects.size === 1);
    bench.put("mine", 1, { node: "there" });
    await bench.until("the object is no longer selected", () => reflector.objects.size === 0);
    const common = { labelSelector, resourceVersion: "1003" };
    assert.deepEqual(
      bench.server.requestsOf(THINGS).map(({ query }) => query),
      [
        { labelSelector, limit: "500", resourceVersion: "0" },
        { ...common, watch: "true", allowWatchBookmarks: "true", timeoutSeconds: "599" },
      ],
    );
  });

  test("reads a long list in pages of one version", async () => {
    await using bench = await KubeBench.start();
    for (let index = 0; index < 1_201; index++) bench.put(`thing-${index}`);
    const reflector = bench.reflect({ freshness: "newest" });
    await reflector.synced;
    assert.equal(reflector.objects.size, 1_201);
    const page = { limit: "500" };
    assert.deepEqual(
      listsOf(bench).map(({ query }) => query),
      [page, { ...page, continue: "2201/500" }, { ...page, continue: "2201/1000" }],
    );
  });

  test("starts a list again when its pages are too old", async () => {
    await using bench = await KubeBench.start();
    for (let index = 0; index < 600; index++) bench.put(`thing-${index}`);
    bench.server.faults.push({
      kind: "status",
      status: 200,
      body: { metadata: { resourceVersion: "1", continue: "1/2" }, items: [] },
    });
    bench.put("last");
    bench.server.objects.compact();
    const reflector = bench.reflect({ freshness: "newest" });
    await bench.passUntil("it is synced", () => bench.of("listed").length === 1);
    assert.equal(reflector.objects.size, 601);
    assert.match(bench.of("interrupted").join(), /^interrupted E_KUBE_REFUSED .* 410 The provided continue parameter/);
  });

  test("continues at its version when the server ends the watch in time", async () => {
    await using bench = await KubeBench.start({ random: () => 0 });
    const reflector = await watching(bench);
    bench.server.bookmark();
    await bench.clock.advance(299_000);
    bench.server.endWatches();
    await bench.until("the next watch is open", () => watchesOf(bench).length === 2);
    bench.put("c");
    await bench.until("it has arrived", () => reflector.objects.size === 3);
    assert.deepEqual(bench.events, ["connected", "listed 2, missed 0"]);
    assert.equal(reflector.counters.reconnects, 0);
  });

  test("misses no change when the server is killed and restarted", async () => {
    await using bench = await KubeBench.start();
    const reflector = await watching(bench);
    await bench.server.kill();
    bench.put("c");
    bench.delete("a");
    await bench.passUntil("it is noticed", () => bench.of("interrupted").length > 2);
    assert.equal(reflector.objects.size, 2);
    await bench.server.listen();
    await bench.passUntil("all has arrived", () => reflector.counters.events === 2);
    assert.deepEqual([...reflector.objects.keys()], ["default/b", "default/c"]);
    assert.equal(listsOf(bench).length, 1);
    assert.equal(bench.of("resumed").length, 1);
    assert.equal(bench.of("disconnected").length, 1);
  });

  const BREAKS: readonly (readonly [string, (bench: KubeBench) => void, RegExp])[] = [
    [
      "is reset",
      ({ server }) => {
        server.resetConnections();
      },
      /E_KUBE_CLOSED .*ECONNRESET/,
    ],
    [
      "is closed without HTTP/2 frames",
      ({ server }) => {
        server.endConnections();
      },
      /E_KUBE_CLOSED .*reset/,
    ],
    [
      "ends too early",
      ({ server }) => {
        server.endWatches();
      },
      /E_KUBE_CLOSED .*ended the watch of .* too early/,
    ],
  ];
  for (const [what, spoil, reason] of BREAKS) {
    test(`resumes, and counts a reconnect, when the watch ${what}`, async () => {
      await using bench = await KubeBench.start();
      const reflector = await watching(bench);
      bench.put("a", "other");
      await bench.until("it has arrived", () => reflector.counters.events === 1);
      spoil(bench);
      bench.put("c");
      const passed = await bench.passUntil("it has arrived", () => reflector.objects.size === 3);
      assert.ok(passed <= 2_000, `it took ${passed} ms`);
      assert.match(bench.of("interrupted").join(), reason);
      assert.deepEqual([listsOf(bench).length, reflector.counters.reconnects], [1, 1]);
      assert.deepEqual(
        watchesOf(bench).map(({ query }) => query["resourceVersion"]),
        ["1002", "1003"],
      );
    });
  }

  test("does not slow down when a proxy cuts every watch after half a minute", async () => {
    await using bench = await KubeBench.start();
    const reflector = await watching(bench);
    for (let cut = 0; cut < 8; cut++) {
      await bench.clock.advance(30_000);
      bench.server.resetWatches();
      bench.put("a", cut);
      const passed = await bench.passUntil("it has arrived", () => reflector.objects.get("default/a")?.value === cut);
      assert.ok(passed <= 1_000, `it took ${passed} ms after cut ${cut}`);
    }
  });

  const BAD_EVENTS: readonly (readonly [string, string])[] = [
    ["an incomplete event", '{"type":"ADDED","object":{"metadata":{"name":"x"'],
    ["an event that is not JSON", "<html>\n"],
    ["an event of an unknown type", '{"type":"NEWS","object":{"metadata":{"name":"x","resourceVersion":"2"}}}\n'],
    ["an object without a name", '{"type":"ADDED","object":{"metadata":{"resourceVersion":"2"}}}\n'],
  ];
  for (const [what, bytes] of BAD_EVENTS) {
    test(`recovers from ${what}`, async () => {
      await using bench = await KubeBench.start();
      const reflector = await watching(bench);
      bench.server.faults.push({ kind: "bytes", bytes, then: "end" });
      bench.server.resetWatches();
      bench.put("c");
      await bench.passUntil("it has arrived", () => reflector.objects.size === 3);
      assert.match(bench.of("interrupted").at(-1) ?? "", /E_KUBE_(CLOSED|PROTOCOL)/);
      assert.deepEqual(bench.of("faulted"), []);
    });
  }

  test("cancels a watch that the server does not end, and opens the next", async () => {
    await using bench = await KubeBench.start({ random: () => 0 });
    const reflector = await watching(bench);
    // The fake server sends no bookmark and never ends a watch, so this watch hangs.
    await bench.clock.advance(330_000);
    await bench.until("it is noticed", () => bench.of("interrupted").length === 1);
    assert.match(bench.events.at(-1) ?? "", /E_KUBE_TIMEOUT the server did not end the watch of .* within 330000 ms/);
    bench.put("c");
    await bench.passUntil("it has arrived", () => reflector.objects.size === 3);
  });

  test("reports how long ago the server last confirmed the store", async () => {
    await using bench = await KubeBench.start();
    bench.server.faults.push({ kind: "hang" });
    const waiting = bench.reflect();
    assert.equal(waiting.staleMs, Number.POSITIVE_INFINITY);
    const reflector = await watching(bench);
    await bench.clock.advance(20_000);
    assert.equal(reflector.staleMs, 20_000);
    bench.server.bookmark();
    await bench.until("the bookmark has arrived", () => reflector.staleMs === 0);
    await bench.clock.advance(7_000);
    bench.put("a", "other");
    await bench.until("the event has arrived", () => reflector.staleMs === 0);
  });

  test("calls no other handler after a handler stops it", async () => {
    await using bench = await KubeBench.start();
    for (const name of ["a", "b", "c"]) bench.put(name);
    let calls = 0;
    let stopped: Promise<void> | undefined;
    let stop: () => Promise<void> = () => Promise.resolve();
    const reflector = bench.reflect({
      onChange: () => {
        calls++;
        stopped = stop();
      },
    });
    stop = () => reflector.stop();
    await bench.until("it is stopped", () => stopped !== undefined);
    await stopped;
    assert.equal(calls, 1);
  });

  test("cancels its request when it is stopped, calls no handler, and resolves `synced` to false", async () => {
    await using bench = await KubeBench.start();
    let calls = 0;
    const reflector = await watching(bench, { onChange: () => calls++ });
    await reflector.stop();
    bench.put("c");
    await bench.until("the stream is gone", () => bench.server.streams.size === 0);
    assert.deepEqual([calls, reflector.objects.size], [2, 2]);
    bench.server.fault = { kind: "hang" };
    const waiting = bench.reflect();
    await bench.until("it asks", () => bench.server.streams.size === 1);
    await waiting.stop();
    assert.equal(await waiting.synced, false);
    await bench.until("the stream is gone", () => bench.server.streams.size === 0);
    // Only the timer of the connection's ping remains.
    assert.equal(bench.clock.sleeping, 1);
    assert.equal(bench.of("interrupted").length, 0);
  });
});
