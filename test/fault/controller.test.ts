import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import type { KubeRequest } from "../../src/kubernetes/api.ts";
import { CONFIGS, ControllerBench, EVENTS, FAILING } from "../support/controller-bench.ts";
import { failure, type FakeAnswer } from "../support/fake-objects.ts";

let bench: ControllerBench;

beforeEach(() => {
  bench = new ControllerBench();
  bench.putConfig("default");
  bench.putNode("a");
});
afterEach(() => bench.end());

const isStatus = ({ path }: KubeRequest): boolean => path.endsWith("/status");

/** Every write of a status is answered like this. */
function refuse(answer: FakeAnswer): void {
  bench.client.fault = (request) => (isStatus(request) ? answer : undefined);
}

function heal(): void {
  bench.client.fault = () => undefined;
}

for (const code of [403, 409, 422, 429, 500, 503])
  test(`a status that is refused with ${code} is written again, later each time, and gets there in the end`, async () => {
    refuse(failure(code, "told to fail"));
    bench.lead();
    await bench.clock.advance(600_000);
    const tries = bench.writes;
    assert.ok(tries > 10 && tries < 30, `${tries} tries in ten minutes`);
    assert.deepEqual(bench.events, [], "nothing is told that is not written");
    heal();
    await bench.clock.advance(60_000);
    assert.equal(bench.status()?.nodeSummary, "1/1");
    assert.equal(bench.writes, tries + 1);
    assert.deepEqual(bench.events, ["Normal Ready"]);
  });

test("a refusal that lasts is warned of once in five minutes, by the name of the object", async () => {
  refuse(failure(403, "forbidden: no rights"));
  bench.lead();
  await bench.clock.advance(290_000);
  assert.equal(bench.warnings().length, 1);
  assert.match(bench.warnings()[0] ?? "", /the status cannot be written, it is tried again: forbidden: no rights/);
  await bench.clock.advance(120_000);
  assert.equal(bench.warnings().length, 2);
});

test("nobody comes back before the time that the server asks for", async () => {
  refuse({ ...failure(429, "busy"), headers: { "retry-after": "200" } });
  bench.lead();
  await bench.clock.advance(199_000);
  assert.equal(bench.writes, 1);
  await bench.clock.advance(3_000);
  assert.equal(bench.writes, 2);
});

test("an object that cannot be written holds up no other", async () => {
  bench.putConfig("other", { uid: "u2" });
  bench.client.fault = ({ path }) => (path === `${CONFIGS}/default/status` ? failure(422, "invalid") : undefined);
  bench.lead();
  await bench.clock.advance(60_000);
  assert.equal(bench.status("default"), undefined);
  assert.equal(bench.status("other")?.nodeSummary, "0/0");
});

test("an object that is deleted while its status is written is let go of without a warning", async () => {
  let deleted = false;
  bench.client.fault = (request) => {
    if (!isStatus(request) || deleted) return undefined;
    deleted = true;
    bench.client.objects.delete(CONFIGS, "default");
    return undefined;
  };
  bench.lead();
  await bench.clock.advance(600_000);
  assert.equal(bench.writes, 1);
  assert.deepEqual(bench.warnings(), []);
});

test("an object that is made anew while the status of the former is written gets its own a moment later", async () => {
  let replaced = false;
  bench.client.fault = (request) => {
    if (!isStatus(request) || replaced) return undefined;
    replaced = true;
    bench.client.objects.delete(CONFIGS, "default");
    bench.putConfig("default", { uid: "u9", generation: 1 });
    return undefined;
  };
  bench.lead();
  await bench.clock.advance(1_500);
  assert.equal(bench.status()?.observedGeneration, 3, "the API server cannot tell");
  await bench.clock.advance(1_000);
  assert.equal(bench.status()?.observedGeneration, 1);
});

test("an answer that is lost after the write changes nothing: it is told once, with its first time", async () => {
  bench.lead();
  await bench.clock.advance(60_000);
  bench.putNode("a", FAILING);
  let lost = 0;
  bench.client.fault = (request) => {
    if (!isStatus(request) || lost > 0) return undefined;
    lost++;
    const { status } = request.body as { readonly status: object };
    bench.putConfig("default", { status });
    return "lost";
  };
  await bench.clock.advance(1_000);
  const first = bench.condition("Ready");
  assert.equal(first?.status, "False");
  await bench.clock.advance(120_000);
  assert.equal(lost, 1);
  assert.deepEqual(bench.events, ["Normal Ready", "Warning TargetUnauthorized"]);
});

test("an API server that is away for an hour is waited for, and what happened meanwhile is written", async () => {
  bench.lead();
  await bench.clock.advance(60_000);
  bench.client.fault = () => "lost";
  bench.client.breakWatches();
  bench.putNode("a", FAILING);
  const before = bench.client.requests.length;
  await bench.clock.advance(3_600_000);
  const tries = bench.client.requests.length - before;
  assert.ok(tries < 600, `${tries} requests in an hour`);
  heal();
  // A watch that is open again has to bring something first, if only a bookmark.
  await bench.clock.advance(120_000);
  assert.equal(bench.condition("Ready")?.reason, "TargetUnauthorized");
});

test("Events that are refused cost a try a minute at most, and the status is written all the same", async () => {
  bench.client.fault = ({ path }) => (path === EVENTS ? failure(403, "forbidden") : undefined);
  bench.lead();
  await bench.clock.advance(600_000);
  assert.equal(bench.status()?.nodeSummary, "1/1");
  assert.ok(bench.events.length >= 8 && bench.events.length <= 11, `${bench.events.length} tries in ten minutes`);
  heal();
  await bench.clock.advance(120_000);
  const told = bench.events.length;
  await bench.clock.advance(600_000);
  assert.equal(bench.events.length, told, "it is told once");
});

for (const what of ["/status", EVENTS])
  test(`a controller that stops leading gives up a request for ${what} that nobody answers`, async () => {
    bench.client.fault = ({ path }) => (path.endsWith(what) ? "hang" : undefined);
    bench.lead();
    await bench.clock.advance(10_000);
    await bench.end();
    assert.deepEqual(bench.warnings(), []);
  });
