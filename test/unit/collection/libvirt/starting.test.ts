import assert from "node:assert/strict";
import { test } from "node:test";
import { SimulatedEndpoint } from "../../../support/simulated-endpoint.ts";

test("a launcher that does not answer is starting for one minute, and failed after that", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { transient: true, fakeDeadlines: true });
  endpoint.host.freeze();
  const young = await endpoint.cycle();
  assert.equal(young.outcome, "starting");
  assert.deepEqual(young.errors, []);
  assert.deepEqual(
    young.tolerated.map(({ code }) => code),
    ["E_LIBVIRT_TIMEOUT"],
  );
  await endpoint.clock.advance(60_000);
  const old = await endpoint.cycle();
  assert.equal(old.outcome, "failed");
  assert.deepEqual(
    old.errors.map(({ code }) => code),
    ["E_LIBVIRT_TIMEOUT"],
  );
  assert.deepEqual(old.tolerated, []);
});

test("a launcher that takes long to start is called in every cycle, and has a sample in the first one that it answers", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { transient: true, fakeDeadlines: true });
  endpoint.host.freeze();
  for (let cycle = 0; cycle < 6; cycle++) {
    assert.equal((await endpoint.cycle()).outcome, "starting", `cycle ${cycle}`);
    await endpoint.clock.advance(5_000);
  }
  endpoint.host.thaw();
  assert.equal((await endpoint.cycle()).outcome, "collected");
});

test("a launcher without a socket is absent, not starting", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { transient: true });
  await endpoint.stopDaemon();
  assert.equal((await endpoint.cycle()).outcome, "absent");
});

test("a daemon that is not transient and does not answer has failed from the start", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { fakeDeadlines: true });
  endpoint.host.freeze();
  const { outcome, errors } = await endpoint.cycle();
  assert.equal(outcome, "failed");
  assert.deepEqual(
    errors.map(({ code }) => code),
    ["E_LIBVIRT_TIMEOUT"],
  );
});

test("a launcher that closes the connection in its first minute causes no error", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { transient: true });
  await endpoint.samples();
  let stopped: Promise<void> | undefined;
  endpoint.host.adjustStats = () => {
    stopped ??= endpoint.stopDaemon();
  };
  const { outcome, errors, tolerated } = await endpoint.cycle();
  assert.deepEqual([outcome, errors], ["collected", []]);
  assert.deepEqual(
    tolerated.map(({ code }) => code),
    ["E_LIBVIRT_CLOSED"],
  );
  await stopped;
});

test("a domain is not stuck in its first minute, also on a daemon that is not transient", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { intervalMs: 2_000 });
  endpoint.host.stuck.add("vm-002");
  const begun = endpoint.clock.monotonic();
  for (;;) {
    const atMs = endpoint.clock.monotonic() - begun;
    const { stuck, slow, errors } = await endpoint.cycle();
    assert.deepEqual(errors, []);
    assert.deepEqual([stuck, slow], atMs < 60_000 ? [[], ["vm-002"]] : [["vm-002"], []], `after ${atMs} ms`);
    if (atMs >= 60_000) break;
  }
});
