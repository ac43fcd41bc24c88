import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { TelemetryError } from "../../../src/errors.ts";
import { PROCEDURE, REMOTE_ERROR } from "../../../src/libvirt/protocol.ts";
import { MemorySpool } from "../../../src/spool/memory-spool.ts";
import { ErrorReply } from "../../../src/simulator/procedures.ts";
import { SimulatorServer } from "../../../src/simulator/server.ts";
import { until } from "../../support/delivery.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { turns } from "../../support/turns.ts";
import { atEnd } from "../../support/at-end.ts";
import { config, INTERVAL_MS, pipelineBench } from "../../support/pipeline-bench.ts";

const { signal: never } = new AbortController();

test("a limited number of cycles ends by itself, and its lines are queued", async (t) => {
  const { pipeline, state, router, socket, log, run } = await pipelineBench(t);
  pipeline.configure(await config());
  assert.equal(await run(2), true);
  // Two domains: metrics, NIC, disk and totals each, and features in the second cycle.
  assert.equal(router.senders[0]?.backlog.lines, 8 + 10);
  assert.equal(log.filter((msg) => msg === "cycle").length, 2);
  assert.deepEqual(state.endpoints.views, [], "a pipeline that has ended keeps no endpoints");
  assert.ok(log.includes("domain appeared"), socket);
});

test("the first cycle begins when there is a configuration", async (t) => {
  const { pipeline, router, log, clock } = await pipelineBench(t);
  const done = pipeline.run(1, never);
  await clock.advance(10_000);
  assert.deepEqual([log, router.senders], [[], []]);
  pipeline.configure(await config());
  await clock.advance(200);
  assert.equal(await done, true);
  assert.equal(router.senders[0]?.backlog.lines, 8);
});

test("without a configuration the agent wakes a few times a minute, enough for its health", async (t) => {
  const { pipeline, state, clock } = await pipelineBench(t);
  const stop = new AbortController();
  let sleeps = 0;
  const { sleep } = clock;
  clock.sleep = (...args) => {
    sleeps++;
    return sleep.apply(clock, args);
  };
  const done = pipeline.run(1, stop.signal);
  await clock.advance(60_000);
  assert.ok(sleeps <= 7, `${sleeps} sleeps in a minute`);
  const { progressMs = 0, patienceMs } = state.cycles.view(0, pipeline.intervalMs);
  assert.ok(clock.monotonic() - progressMs < patienceMs / 2);
  stop.abort();
  await done;
});

/** Runs a pipeline until its configuration is removed after its first cycles. Resolves to a function that ends it. */
async function runUntilRemoved({
  pipeline,
  clock,
  logged,
}: Awaited<ReturnType<typeof pipelineBench>>): Promise<() => Promise<unknown>> {
  const stop = new AbortController();
  pipeline.configure(await config());
  const done = pipeline.run(Number.POSITIVE_INFINITY, stop.signal);
  await once(logged, "cycle");
  pipeline.configure(undefined);
  const removed = once(logged, "configuration removed");
  await clock.advance(INTERVAL_MS);
  await removed;
  return () => {
    stop.abort();
    return done;
  };
}

test("the removal of a configuration ends collection and keeps the queued lines", async (t) => {
  const bench = await pipelineBench(t);
  const { router, log } = bench;
  const end = await runUntilRemoved(bench);
  await end();
  assert.equal(router.senders[0]?.backlog.lines, 8 * log.filter((msg) => msg === "cycle").length);
});

test("after the removal of a configuration the log still has the minutes, and the losses of queued lines", async (t) => {
  const bench = await pipelineBench(t);
  const { state, clock, log } = bench;
  const end = await runUntilRemoved(bench);
  const minutes = (): number => log.filter((msg) => msg === "last minute").length;
  const before = minutes();
  const losses = t.mock.method(state, "recordLosses");
  await clock.advance(130_000);
  assert.equal(minutes() - before, 2);
  assert.ok(losses.mock.callCount() > 10);
  await end();
});

test("a suspended configuration collects nothing, and its cycles count", async (t) => {
  const { pipeline, router, log, run } = await pipelineBench(t);
  pipeline.configure(await config("  state: Suspended\n"));
  assert.equal(await run(1), true);
  assert.equal(router.senders[0]?.backlog.lines, 0);
  assert.ok(!log.includes("cycle"));
});

test("a family with an interval of its own has lines and calls in the first cycle and then in its cycles only", async (t) => {
  const { pipeline, router, host, run } = await pipelineBench(t);
  const families = ", families: [Metrics, Devices, Vcpus]";
  pipeline.configure(
    await config(
      "",
      `${families}, schedules: [{families: [Vcpus], interval: 3s}, {families: [Devices], interval: 2s}]`,
    ),
  );
  assert.equal(await run(6), true);
  const vcpus = [...host.domains.values()].reduce((sum, domain) => sum + domain.vcpus(1).length, 0);
  // Metrics in all six cycles; NIC and disk in cycles 1, 3 and 5; vCPUs in cycles 1 and 4.
  assert.equal(router.senders[0]?.backlog.lines, 6 * 2 + 3 * 4 + 2 * vcpus);
  assert.equal(host.calls.get(PROCEDURE.DOMAIN_GET_VCPUS), 2 * 2);
  // Cycles 2 and 6 need no statistics.
  assert.equal(host.calls.get(PROCEDURE.CONNECT_GET_ALL_DOMAIN_STATS), 4);
});

test("a daemon that does not answer in the cycle of a family has its lines in the next one", async (t) => {
  const { pipeline, endpoints, socket, host, clock, run } = await pipelineBench(t);
  pipeline.configure(await config("", ", families: [Metrics, Vcpus], schedules: [{families: [Vcpus], interval: 1m}]"));
  endpoints.sockets = [`${socket}-late`];
  assert.equal(await run(1), false);
  const server = await SimulatorServer.start(`${socket}-late`, host);
  atEnd(t, () => server[Symbol.asyncDispose]());
  const next = run(1);
  await clock.advance(INTERVAL_MS);
  assert.equal(await next, true);
  assert.equal(host.calls.get(PROCEDURE.DOMAIN_GET_VCPUS), 2);
});

test("a family whose cycle has no statistics has its lines in the next good cycle, and then in its own", async (t) => {
  const { pipeline, host, clock, run } = await pipelineBench(t);
  pipeline.configure(await config("", ", families: [Metrics, Vcpus], schedules: [{families: [Vcpus], interval: 1m}]"));
  host.adjustStats = () => {
    throw new ErrorReply(REMOTE_ERROR.INTERNAL, "no statistics");
  };
  assert.equal(await run(1), false);
  host.adjustStats = () => undefined;
  const vcpuCalls = (): number => host.calls.get(PROCEDURE.DOMAIN_GET_VCPUS) ?? 0;
  const before = vcpuCalls();
  const next = run(2);
  await clock.advance(INTERVAL_MS);
  assert.equal(await next, true);
  assert.equal(vcpuCalls() - before, 2);
});

test("the lines of the node and the agent are written once in a cycle, and cost a call in each connection", async (t) => {
  const { pipeline, router, host, run } = await pipelineBench(t);
  pipeline.configure(await config("", ", families: [Node, Agent], schedules: [{families: [Agent], interval: 2s}]"));
  assert.equal(await run(3), true);
  assert.equal(router.senders[0]?.backlog.lines, 3 + 2);
  assert.equal(host.calls.get(PROCEDURE.CONNECT_GET_VERSION), 1);
  assert.equal(host.calls.get(PROCEDURE.CONNECT_GET_ALL_DOMAIN_STATS), undefined);
});

test("without the family Node there is no call for the version of QEMU", async (t) => {
  const { pipeline, host, run } = await pipelineBench(t);
  pipeline.configure(await config());
  assert.equal(await run(1), true);
  assert.equal(host.calls.get(PROCEDURE.CONNECT_GET_VERSION), undefined);
});

test("a new configuration begins with all families", async (t) => {
  const { pipeline, host, clock, run } = await pipelineBench(t);
  const scheduled = ", families: [Metrics, Vcpus], schedules: [{families: [Vcpus], interval: 1m}]";
  pipeline.configure(await config("", scheduled));
  assert.equal(await run(2), true);
  pipeline.configure(await config("", scheduled));
  const again = run(1);
  await clock.advance(INTERVAL_MS);
  assert.equal(await again, true);
  assert.equal(host.calls.get(PROCEDURE.DOMAIN_GET_VCPUS), 2 * 2);
});

test("endpoints that cannot be found fail the cycle, and the next cycle looks for them again", async (t) => {
  const { pipeline, router, endpoints, socket, clock, log, run } = await pipelineBench(t);
  pipeline.configure(await config());
  endpoints.sockets = new TelemetryError("E_SOCKET_NOT_FOUND", "no libvirt socket found");
  assert.equal(await run(1), false);
  assert.ok(log.some((msg) => msg.includes("no libvirt socket found")));
  endpoints.sockets = [socket];
  pipeline.configure(await config());
  const next = run(1);
  await clock.advance(INTERVAL_MS);
  assert.equal(await next, true);
  assert.equal(router.senders[0]?.backlog.lines, 8);
});

test("an exception while a domain is encoded fails the cycle and loses only this domain's lines", async (t) => {
  const { pipeline, state, router, endpoints, log, run } = await pipelineBench(t);
  const unwritable = { name: "vm-001", tags: [["tag", Object]] as never };
  endpoints.naming = { identify: (domain) => (domain.name === "vm-001" ? unwritable : domain) };
  pipeline.configure(await config());
  assert.equal(await run(2), false);
  assert.equal(router.senders[0]?.backlog.lines, 4 + 5);
  assert.deepEqual(state.endpoints.errors, new Map([["E_INTERNAL", 2]]));
  assert.equal(state.cycles.incomplete, 2);
  assert.equal(log.filter((msg) => msg.includes("vm-001")).length, 1, "it is logged only once");
});

test("an exception while lines are handed to the buffer fails the cycle, and the next one works", async (t) => {
  const spool = new MemorySpool({ maxBytes: 1 << 20, maxAgeMs: 60_000 }, new FakeClock());
  const append = spool.append.bind(spool);
  let faults = 1;
  spool.append = (...batch) => (faults-- > 0 ? Promise.reject(new Error("a bug")) : append(...batch));
  const { pipeline, state, router, log, run } = await pipelineBench(t, spool);
  pipeline.configure(await config());
  assert.equal(await run(2), false);
  assert.equal(router.senders[0]?.backlog.lines, 10);
  assert.equal(log.filter((msg) => msg === "handing lines to the buffer failed unexpectedly: a bug").length, 1);
  assert.equal(state.cycles.incomplete, 1);
});

test("an exception while endpoints are looked for fails the cycle", async (t) => {
  const { pipeline, endpoints, log, run } = await pipelineBench(t);
  endpoints.sockets = new Error("a bug");
  pipeline.configure(await config());
  assert.equal(await run(1), false);
  assert.ok(log.includes("no statistics from libvirt: looking for libvirt daemons failed unexpectedly: a bug"));
});

test("an exception while a configuration is applied fails the run, and the configuration is applied again", async (t) => {
  const { pipeline, router, log, run, clock } = await pipelineBench(t);
  const apply = router.apply.bind(router);
  router.apply = () => Promise.reject(new Error("a bug"));
  pipeline.configure(await config());
  assert.equal(await run(1), false);
  assert.ok(log.includes("using a configuration failed unexpectedly: a bug"), log.join());
  router.apply = apply;
  const again = run(1);
  await clock.advance(INTERVAL_MS);
  assert.equal(await again, true);
  assert.equal(router.senders.length, 1);
});

test("the line of an event is queued although the next cycle is not due", async (t) => {
  const { pipeline, router, host, clock, state } = await pipelineBench(t);
  pipeline.configure(await config("", ", families: [Events]"));
  const ended = new AbortController();
  const done = pipeline.run(Number.POSITIVE_INFINITY, ended.signal);
  await until("the first cycle is done", () => clock.sleeping > 0 && state.cycles.count === 1);
  const domain = { name: "vm-001", uuid: host.domains.get("vm-001")?.ref.uuid ?? "", id: 1 };
  host.emit({ name: "REBOOT", domain, numbers: [] });
  host.emit({ name: "LIFECYCLE", domain, numbers: [5, 2] });
  await turns(60);
  await clock.advance(100);
  await until("two lines are queued", () => router.senders[0]?.backlog.lines === 2);
  host.emit({ name: "REBOOT", domain, numbers: [] });
  await turns(60);
  ended.abort();
  await done;
  assert.equal(router.senders[0]?.backlog.lines, 3, "at the end nothing is lost");
  assert.equal(state.cycles.lines, 0);
});
