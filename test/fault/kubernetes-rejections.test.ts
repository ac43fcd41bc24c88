import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { KubeBench, THINGS } from "../support/kube-bench.ts";
import { skipWithoutOpenssl } from "../support/openssl.ts";

const skip = skipWithoutOpenssl("rejected requests of a reflector");

const listsOf = (bench: KubeBench) => bench.server.requestsOf(THINGS).filter(({ query }) => !query["watch"]);

void suite("a reflector whose requests are rejected", { skip }, () => {
  for (const how of ["in the watch's first event", "with the status of the answer"] as const) {
    test(`lists again when its version is too old (${how}), and counts missed changes`, async () => {
      await using bench = await KubeBench.start();
      for (const name of ["a", "b", "c"]) bench.put(name);
      const changes: string[] = [];
      const reflector = bench.reflect({ onChange: ({ key }) => changes.push(key) });
      await bench.until("the watch is open", () => bench.server.watches.size === 1);
      bench.put("a", "same as before the outage");
      await bench.until("it has arrived", () => changes.length === 4);
      await bench.server.kill();
      bench.put("b", "changed");
      bench.put("d");
      bench.delete("c");
      bench.server.objects.compact();
      if (how === "with the status of the answer") bench.server.faults.push({ kind: "status", status: 410 });
      await bench.server.listen();
      await bench.passUntil("it has listed", () => bench.of("listed").length === 2);
      assert.deepEqual(changes.slice(4).sort(), ["default/b", "default/c", "default/d"]);
      assert.equal(reflector.counters.missedFoundByRelist, 3);
      assert.equal(bench.events.at(-1), "listed 3, missed 3");
      const { query } = listsOf(bench)[1] ?? {};
      assert.deepEqual(query, { resourceVersion: "1004", resourceVersionMatch: "NotOlderThan" });
    });
  }

  test("does not list again after a bookmark with a newer version", async () => {
    await using bench = await KubeBench.start();
    bench.put("a");
    const reflector = bench.reflect();
    await bench.until("the watch is open", () => bench.server.watches.size === 1);
    bench.put("b");
    await bench.until("both have arrived", () => reflector.objects.size === 2);
    bench.server.objects.advance();
    bench.server.objects.compact();
    await bench.clock.advance(1_000);
    bench.server.bookmark();
    await bench.until("the bookmark has arrived", () => reflector.staleMs === 0);
    bench.server.resetWatches();
    bench.put("c");
    await bench.passUntil("it has arrived", () => reflector.objects.size === 3);
    assert.equal(listsOf(bench).length, 1);
  });

  test("lists from etcd if the server's version is older than its own, as after a restore", async () => {
    await using bench = await KubeBench.start({ random: () => 0 });
    bench.put("a");
    const reflector = bench.reflect();
    await bench.until("the watch is open", () => bench.server.watches.size === 1);
    bench.server.objects.restore();
    bench.put("b");
    await bench.clock.advance(300_000);
    // The server has not sent a bookmark, so it may not know the version.
    bench.server.endWatches();
    await bench.passUntil("it has arrived", () => reflector.objects.size === 2);
    assert.deepEqual(
      listsOf(bench)
        .slice(1)
        .map(({ query }) => query),
      [{ resourceVersion: "1001", resourceVersionMatch: "NotOlderThan" }, { limit: "500" }],
    );
  });

  for (const status of [429, 503]) {
    test(`waits for the Retry-After of a status ${status}, before a list and a watch`, async () => {
      await using bench = await KubeBench.start({ random: () => 0 });
      const busy = { kind: "status", status, body: "too many requests", headers: { "retry-after": "7" } } as const;
      bench.server.faults.push(busy);
      const reflector = bench.reflect();
      await bench.until("the list is rejected", () => bench.of("interrupted").length === 1);
      await bench.clock.advance(6_800);
      assert.equal(bench.server.requests.length, 1);
      bench.server.faults.push(
        { kind: "status", status: 200, body: { metadata: { resourceVersion: "1" }, items: [] } },
        busy,
      );
      await bench.clock.advance(300);
      assert.equal(await reflector.synced, true);
      await bench.until("the watch is rejected", () => bench.of("interrupted").length === 2);
      await bench.clock.advance(6_800);
      assert.equal(bench.server.requests.length, 3);
      await bench.clock.advance(300);
      await bench.until("the watch is open", () => bench.server.watches.size === 1);
      assert.match(
        bench.events.join(),
        new RegExp(`rejects the list of .*: ${status} too many requests,.*rejects the watch of`),
      );
    });
  }

  test("reports missing rights, and retries less and less often", async () => {
    await using bench = await KubeBench.start();
    bench.server.fault = { kind: "status", status: 403 };
    const reflector = bench.reflect();
    await bench.until("it is denied", () => bench.of("denied").length === 1);
    const passed = await bench.passUntil("it has tried ten times", () => bench.server.requests.length === 10);
    assert.ok(passed >= 60_000, `it took ${passed} ms`);
    bench.server.fault = undefined;
    await bench.passUntil("it is synced", () => bench.of("listed").length === 1);
    assert.match(bench.events[1] ?? "", /^denied the API server rejects the list of \/apis\/.*: 403 injected fault$/);
    assert.equal(bench.of("resumed").length, 1);
    assert.equal(reflector.objects.size, 0);
  });

  test("keeps its objects when a watch is rejected", async () => {
    await using bench = await KubeBench.start();
    bench.put("a");
    const reflector = bench.reflect();
    await bench.until("the watch is open", () => bench.server.watches.size === 1);
    bench.server.fault = { kind: "status", status: 403 };
    bench.server.resetWatches();
    await bench.passUntil("it is denied", () => bench.of("denied").length === 2);
    assert.equal(reflector.objects.size, 1);
    bench.server.fault = undefined;
    bench.put("b");
    await bench.passUntil("it has arrived", () => reflector.objects.size === 2);
    assert.equal(listsOf(bench).length, 1);
  });

  test("continues without an interruption when its token is rotated", async () => {
    let token = "old";
    await using bench: KubeBench = await KubeBench.start({ readAccess: () => bench.access(token) });
    bench.server.tokens.add("old");
    const reflector = bench.reflect();
    await bench.until("the watch is open", () => bench.server.watches.size === 1);
    bench.server.tokens.delete("old");
    bench.server.tokens.add("new");
    token = "new";
    bench.server.resetWatches();
    bench.put("a");
    await bench.passUntil("it has arrived", () => reflector.objects.size === 1);
    assert.deepEqual(bench.of("denied"), []);
    assert.equal(bench.server.totalConnections, 1);
  });

  test("finds a kind that is created later", async () => {
    await using bench = await KubeBench.start();
    bench.server.fault = { kind: "status", status: 404, body: "404 page not found" };
    const reflector = bench.reflect();
    await bench.passUntil("it has tried ten times", () => bench.server.requests.length === 10);
    bench.server.fault = undefined;
    await bench.passUntil("it is synced", () => bench.of("listed").length === 1);
    assert.equal(await reflector.synced, true);
    assert.match(bench.events[1] ?? "", /^interrupted E_KUBE_REFUSED .*: 404 404 page not found$/);
  });
});

void suite("a reflector whose callbacks throw", { skip }, () => {
  test("reports an error of a handler and continues", async () => {
    await using bench = await KubeBench.start();
    bench.put("a");
    const reflector = bench.reflect({
      onChange: ({ key }) => {
        throw new Error(`no ${key}`);
      },
    });
    assert.equal(await reflector.synced, true);
    await bench.until("the watch is open", () => bench.server.watches.size === 1);
    bench.put("b");
    await bench.until("it has arrived", () => bench.of("faulted").length === 2);
    assert.equal(reflector.objects.size, 2);
    assert.deepEqual(bench.of("faulted"), ["faulted Error: no default/a", "faulted Error: no default/b"]);
    assert.deepEqual(bench.of("interrupted"), []);
  });

  test("reports an error of a projection and ignores the object", async () => {
    await using bench = await KubeBench.start();
    for (const name of ["a", "b"]) bench.put(name);
    const reflector = bench.reflect({
      project: (object) => {
        const { name } = (object as { metadata: { name: string } }).metadata;
        if (name === "a") throw new Error("no a");
        return { name, value: 1 };
      },
    });
    assert.equal(await reflector.synced, true);
    assert.deepEqual([...reflector.objects.keys()], ["default/b"]);
    assert.deepEqual(bench.of("faulted"), ["faulted Error: no a"]);
  });
});
