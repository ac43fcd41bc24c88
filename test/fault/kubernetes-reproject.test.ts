import assert from "node:assert/strict";
import { suite, test } from "node:test";
import type { Reflector } from "../../src/kubernetes/reflector.ts";
import { KubeBench } from "../support/kube-bench.ts";
import { skipWithoutOpenssl } from "../support/openssl.ts";

const skip = skipWithoutOpenssl("the reflector");

type Thing = ReturnType<KubeBench["reflect"]> extends Reflector<infer T> ? T : never;

/** Starts a server with the things `a` and `b`, and a reflector of it with this projection, which has an open watch. */
async function watching(bench: KubeBench, project: (value: unknown) => unknown, changes: string[] = []) {
  bench.put("a");
  bench.put("b");
  const reflector = bench.reflect({
    project: (object): Thing => ({ name: "", value: project((object as { spec: { value: unknown } }).spec.value) }),
    onChange: ({ key, after }) => changes.push(`${key} ${String(after?.value)}`),
  });
  await bench.until("the watch is open", () => bench.server.watches.size === 1);
  return reflector;
}

void suite("a reflector whose projection changes", { skip }, () => {
  test("projects all objects anew, and misses none that changes then", async () => {
    await using bench = await KubeBench.start();
    const changes: string[] = [];
    let prefix = "";
    const reflector = await watching(bench, (value) => prefix + String(value), changes);
    prefix = "new ";
    reflector.reproject();
    reflector.reproject();
    bench.put("c");
    await bench.until("all have arrived", () => reflector.objects.size === 3 && bench.server.watches.size === 1);
    assert.deepEqual(changes.slice(0, 2), ["default/a a", "default/b b"]);
    assert.deepEqual(changes.slice(2).sort(), ["default/a new a", "default/b new b", "default/c new c"]);
    const { lists, reconnects, missedFoundByRelist } = reflector.counters;
    assert.deepEqual([lists, reconnects, missedFoundByRelist], [2, 0, 0]);
    assert.equal(bench.of("interrupted").length, 0);
  });

  test("projects anew although the list fails at first", async () => {
    await using bench = await KubeBench.start();
    let prefix = "";
    const reflector = await watching(bench, (value) => prefix + String(value));
    prefix = "new ";
    bench.server.faults.push({ kind: "status", status: 500, body: {} });
    reflector.reproject();
    const isNew = (): boolean => [...reflector.objects.values()].every(({ value }) => String(value).startsWith("new "));
    await bench.passUntil("the list is repeated", isNew);
    assert.equal(reflector.counters.missedFoundByRelist, 0);
  });
});
