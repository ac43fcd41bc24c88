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

/** Sets the answer to every write of a status. */
function answerWrites(answer: FakeAnswer): void {
  bench.client.fault = (request) => (isStatus(request) ? answer : undefined);
}

function heal(): void {
  bench.client.fault = () => undefined;
}

for (const code of [403, 409, 422, 429, 500, 503])
  test(`a status write that fails with ${code} is retried with a growing backoff until it succeeds`, async () => {
    answerWrites(failure(code, "injected fault"));
    bench.lead();
    await bench.clock.advance(600_000);
    const tries = bench.writes;
    assert.ok(tries > 10 && tries < 30, `${tries} tries in ten minutes`);
    assert.deepEqual(bench.events, [], "no Event about a status that is not written");
    heal();
    await bench.clock.advance(60_000);
    assert.equal(bench.status()?.nodeSummary, "1/1");
    assert.equal(bench.writes, tries + 1);
    assert.deepEqual(bench.events, ["Normal Ready"]);
  });

test("a lasting rejection is logged once in five minutes, with the name of the object", async () => {
  answerWrites(failure(403, "forbidden: no rights"));
  bench.lead();
  await bench.clock.advance(290_000);
  assert.equal(bench.warnings().length, 1);
  assert.match(bench.warnings()[0] ?? "", /status not written, retrying: forbidden: no rights/);
  await bench.clock.advance(120_000);
  assert.equal(bench.warnings().length, 2);
});

test("no retry is earlier than the server's Retry-After", async () => {
  answerWrites({ ...failure(429, "busy"), headers: { "retry-after": "200" } });
  bench.lead();
  await bench.clock.advance(199_000);
  assert.equal(bench.writes, 1);
  await bench.clock.advance(3_000);
  assert.equal(bench.writes, 2);
});

test("a failing write does not delay other objects", async () => {
  bench.putConfig("other", { uid: "u2" });
  bench.client.fault = ({ path }) => (path === `${CONFIGS}/default/status` ? failure(422, "invalid") : undefined);
  bench.lead();
  await bench.clock.advance(60_000);
  assert.equal(bench.status("default"), undefined);
  assert.equal(bench.status("other")?.nodeSummary, "0/0");
});

test("an object that is deleted during its status write causes no warning", async () => {
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

test("an object that is created again during a status write gets its own status", async () => {
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
  assert.equal(bench.status()?.observedGeneration, 3, "the API server does not notice");
  await bench.clock.advance(1_000);
  assert.equal(bench.status()?.observedGeneration, 1);
});

test("a write whose answer is lost causes one Event, and the condition keeps its time", async () => {
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

test("after an outage of an hour the status shows the changes that happened during it", async () => {
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
  // The store counts as up to date only after the new watch has sent an event or a bookmark.
  await bench.clock.advance(120_000);
  assert.equal(bench.condition("Ready")?.reason, "TargetUnauthorized");
});

test("rejected Events are retried once a minute at most, and do not delay the status", async () => {
  bench.client.fault = ({ path }) => (path === EVENTS ? failure(403, "forbidden") : undefined);
  bench.lead();
  await bench.clock.advance(600_000);
  assert.equal(bench.status()?.nodeSummary, "1/1");
  assert.ok(bench.events.length >= 8 && bench.events.length <= 11, `${bench.events.length} tries in ten minutes`);
  heal();
  await bench.clock.advance(120_000);
  const events = bench.events.length;
  await bench.clock.advance(600_000);
  assert.equal(bench.events.length, events, "one Event");
});

for (const what of ["/status", EVENTS])
  test(`a controller that stops leading cancels a request for ${what} without an answer`, async () => {
    bench.client.fault = ({ path }) => (path.endsWith(what) ? "hang" : undefined);
    bench.lead();
    await bench.clock.advance(10_000);
    await bench.end();
    assert.deepEqual(bench.warnings(), []);
  });
