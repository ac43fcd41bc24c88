import assert from "node:assert/strict";
import { test } from "node:test";
import { byName, SimulatedEndpoint } from "../support/simulated-endpoint.ts";

test("a daemon without answers fails a cycle with at most four calls, and is skipped after three more", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { fakeDeadlines: true });
  const calls = (): number => [...endpoint.host.calls.values()].reduce((sum, count) => sum + count, 0);
  await endpoint.samples();
  endpoint.host.freeze();
  for (let failure = 0; failure < 4; failure++) {
    const before = calls();
    const { outcome, samples, errors } = await endpoint.cycle();
    assert.deepEqual([outcome, samples], ["failed", []]);
    assert.deepEqual(
      errors.map(({ code }) => code),
      ["E_LIBVIRT_TIMEOUT"],
    );
    // In the first cycle the list, and then known domains; later the first call of a new connection.
    assert.ok(calls() - before <= (failure === 0 ? 4 : 1), `${calls() - before} calls`);
    assert.equal(endpoint.clients, 0, "the calls and their connection end before the next call");
  }
  // The backoff is random, but soon longer than an interval.
  for (let skipped = 0; skipped < 3;) {
    const before = calls();
    if ((await endpoint.cycle()).outcome !== "skipped") continue;
    skipped++;
    assert.equal(calls(), before);
  }
  endpoint.host.thaw();
  await endpoint.clock.advance(60_000);
  assert.equal((await endpoint.samples()).size, 3);
});

test("a daemon that freezes during the bulk call affects only devices and totals", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { fakeDeadlines: true });
  await endpoint.samples();
  endpoint.host.stuck.add("vm-001");
  const running = endpoint.cycle();
  while (endpoint.server.blockedCalls === 0) await new Promise((resolve) => setImmediate(resolve));
  endpoint.host.freeze();
  const { outcome, samples, errors, stuck } = await running;
  assert.equal(outcome, "collected");
  assert.deepEqual(
    errors.map(({ code }) => code),
    ["E_LIBVIRT_CLOSED"],
  );
  assert.deepEqual(stuck, [], "only the daemon could name the QEMU");
  assert.equal(samples.length, 3);
  assert.ok(samples.every(({ cpu, nics }) => cpu.time !== undefined && nics === undefined));
});

test("a restarted daemon is back in the next cycle, with all domains, rates and fresh devices", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t);
  await endpoint.samples();
  await endpoint.stopDaemon();
  const gone = await endpoint.cycle();
  assert.equal(gone.outcome, "failed");
  assert.equal(gone.errors[0]?.code, "E_LIBVIRT_UNREACHABLE");
  await endpoint.startDaemon();
  assert.equal(endpoint.newCalls("DOMAIN_GET_XML_DESC"), 3);
  const samples = await endpoint.samples();
  assert.equal(samples.size, 3);
  assert.equal(endpoint.newCalls("DOMAIN_GET_XML_DESC"), 3);
  assert.ok([...samples.values()].every(({ previous }) => previous !== undefined));
});

test("a daemon that restarts between two cycles causes no failed cycle", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t);
  for (let restart = 0; restart < 5; restart++) {
    assert.equal((await endpoint.samples()).size, 3);
    await endpoint.stopDaemon();
    await endpoint.startDaemon();
  }
});

test("a connection that is lost during a cycle affects only this cycle", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t);
  await endpoint.samples();
  let dropped: Promise<void> | undefined;
  endpoint.host.adjustStats = () => {
    dropped ??= endpoint.stopDaemon();
  };
  const { samples, errors } = await endpoint.cycle();
  assert.deepEqual(
    errors.map(({ code }) => code),
    ["E_LIBVIRT_CLOSED"],
  );
  assert.ok([...byName(samples).values()].every(({ nics }) => nics === undefined));
  await dropped;
  await endpoint.startDaemon();
  assert.equal((await endpoint.samples()).get("vm-003")?.disks?.length, 3);
});
