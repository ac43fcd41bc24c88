import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Thing } from "../support/kube-bench.ts";
import { KubeBench, THINGS } from "../support/kube-bench.ts";
import { skipWithoutOpenssl } from "../support/openssl.ts";

const skip = skipWithoutOpenssl("chaos around a reflector");

const NAMES = ["a", "b", "c", "d"];

/** Faults and events by description. */
const EVENTS: Readonly<Record<string, (bench: KubeBench) => unknown>> = {
  "connections are reset": ({ server }) => {
    server.resetConnections();
  },
  "connections end": ({ server }) => {
    server.endConnections();
  },
  "sessions end": ({ server }) => {
    server.destroySessions();
  },
  "watches are reset": ({ server }) => {
    server.resetWatches();
  },
  "watches end": ({ server }) => {
    server.endWatches();
  },
  GOAWAY: ({ server }) => {
    server.goAway();
  },
  compaction: ({ server }) => {
    server.objects.compact();
  },
  bookmark: ({ server }) => {
    server.bookmark();
  },
  restart: async ({ server }) => {
    await server.kill();
    await server.listen();
  },
  "an outage that is older than the server's history": async ({ server }) => {
    await server.kill();
    for (const name of NAMES)
      if (server.objects.get(THINGS, `default/${name}`) !== undefined) server.objects.delete(THINGS, `default/${name}`);
    server.objects.advance();
    server.objects.compact();
    await server.listen();
  },
  "ten minutes": async ({ clock }) => {
    await clock.advance(600_000);
  },
  seconds: async ({ clock }) => {
    await clock.advance(3_000);
  },
  ...Object.fromEntries(
    [401, 403, 410, 429, 500, 503, 504].map((status) => [
      `a rejection with ${status}`,
      ({ server }: KubeBench) => server.faults.push({ kind: "status", status }),
    ]),
  ),
  "a request is lost": ({ server }) => server.faults.push({ kind: "reset" }),
  "a request hangs": ({ server }) => server.faults.push({ kind: "hang" }),
  "an answer is incomplete": ({ server }) => server.faults.push({ kind: "bytes", bytes: '{"metadata":', then: "end" }),
};

const event = fc.constantFrom(...Object.keys(EVENTS));
const write = fc.record({ name: fc.constantFrom(...NAMES), value: fc.option(fc.nat(9), { nil: undefined }) });

test(
  "after any sequence of events a reflector has the server's objects and has reported every change",
  { skip },
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(event, write), { maxLength: 30 }),
        fc.constantFrom("any", "newest"),
        async (steps, freshness) => {
          await using bench = await KubeBench.start();
          bench.put("first");
          const reported = new Map<string, Thing>();
          const reflector = bench.reflect({
            freshness,
            onChange: ({ key, before, after }) => {
              assert.equal(reported.get(key), before);
              if (after === undefined) reported.delete(key);
              else reported.set(key, after);
            },
          });
          for (const step of steps) {
            if (typeof step === "string") await EVENTS[step]?.(bench);
            else if (step.value !== undefined) bench.put(step.name, step.value);
            else if (bench.server.objects.get(THINGS, `default/${step.name}`) !== undefined) bench.delete(step.name);
            await bench.clock.advance(100);
          }
          bench.server.faults.length = 0;
          // Changes arrive in order, so this one shows that all have arrived.
          bench.put("last");
          await bench.passUntil("it has caught up", () => reflector.objects.has("default/last"));
          const expected = [...NAMES, "first", "last"].flatMap((name) => {
            const thing = bench.server.objects.get(THINGS, `default/${name}`);
            return thing === undefined ? [] : [[name, (thing["spec"] as { value: unknown }).value]];
          });
          const found = [...reflector.objects.values()].map(({ name, value }) => [name, value]);
          assert.deepEqual(found.sort(), expected.sort());
          assert.deepEqual(reported, reflector.objects);
          assert.deepEqual(bench.of("faulted"), []);
        },
      ),
      { numRuns: 25 },
    );
  },
);
