import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { LAUNCHER_BUDGET } from "../../../../src/budget.ts";
import { PROCEDURE } from "../../../../src/libvirt/protocol.ts";
import { SyntheticDomain } from "../../../../src/simulator/synthetic-domain.ts";
import { SimulatedEndpoint } from "../../../support/simulated-endpoint.ts";

const VM = "vm-001";

/** A launcher after two cycles, so that the agent knows its domain. */
async function steadyLauncher(t: TestContext): Promise<SimulatedEndpoint> {
  const endpoint = await SimulatedEndpoint.start(t, { domains: 1, transient: true, budget: LAUNCHER_BUDGET });
  endpoint.host.cgroups = false;
  await endpoint.samples();
  await endpoint.samples();
  await endpoint.clock.advance(60_000);
  endpoint.host.calls.clear();
  return endpoint;
}

/** Returns the number of further calls that have arrived when the next list is made. */
function callsBeforeList({ host }: SimulatedEndpoint): { readonly info: number; readonly stats: number }[] {
  const seen: { info: number; stats: number }[] = [];
  host.onListed = () => {
    const of = (procedure: number): number => host.calls.get(procedure) ?? 0;
    seen.push({ info: of(PROCEDURE.DOMAIN_GET_INFO), stats: of(PROCEDURE.CONNECT_GET_ALL_DOMAIN_STATS) });
  };
  return seen;
}

test("a launcher gets all calls of a cycle at once, and each of them once", async (t) => {
  const endpoint = await steadyLauncher(t);
  const before = callsBeforeList(endpoint);
  const sample = await endpoint.sample();
  assert.deepEqual(before, [{ info: 1, stats: 1 }]);
  assert.equal(endpoint.newCalls("DOMAIN_GET_INFO"), 1);
  assert.equal(endpoint.newCalls("CONNECT_GET_ALL_DOMAIN_STATS"), 1);
  assert.equal(sample.disks?.length, 3);
  assert.ok(sample.memory.rss !== undefined && sample.previous !== undefined);
});

test("a daemon with several domains gets its calls one after the other", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: 2 });
  endpoint.host.cgroups = false;
  await endpoint.samples();
  endpoint.host.calls.clear();
  const before = callsBeforeList(endpoint);
  await endpoint.samples();
  assert.deepEqual(before, [{ info: 0, stats: 0 }]);
});

test("a domain that has restarted is read in its new run, and the call for the old one is no fault", async (t) => {
  const endpoint = await steadyLauncher(t);
  const { ref } = endpoint.domain(VM);
  endpoint.host.addDomain(new SyntheticDomain(1, endpoint.shape, { ...ref, id: 2 }));
  const sample = await endpoint.sample();
  assert.equal(sample.identity.id, 2);
  assert.equal(sample.disks?.length, 3);
  await endpoint.samples();
  assert.equal(endpoint.source.stats.blockedCalls, 0);
  assert.equal(endpoint.clients, 1);
});

test("a domain that has ended has no sample and no error, and no connection is left", async (t) => {
  const endpoint = await steadyLauncher(t);
  endpoint.host.domains.clear();
  assert.deepEqual([...(await endpoint.samples())], []);
  assert.deepEqual([...(await endpoint.samples())], []);
  assert.equal(endpoint.source.stats.blockedCalls, 0);
  assert.equal(endpoint.clients, 1);
});

test("a QEMU that is stuck blocks one call, and keeps the values that libvirt has", async (t) => {
  const endpoint = await steadyLauncher(t);
  endpoint.host.stuck.add(VM);
  for (let cycle = 0; cycle < 4; cycle++) {
    const { samples, stuck } = await endpoint.cycle();
    assert.equal(samples[0]?.disks, undefined);
    assert.equal(samples[0]?.nics?.length, 2);
    assert.equal(endpoint.server.blockedCalls, 1);
    assert.deepEqual(stuck, cycle < 2 ? [] : [VM], `cycle ${cycle}`);
  }
  endpoint.host.release(VM);
  assert.equal((await endpoint.sample()).disks?.length, 3);
});

test("a QEMU that is stuck when its domain restarts does not take a place of the connection", async (t) => {
  const endpoint = await steadyLauncher(t);
  const { ref } = endpoint.domain(VM);
  endpoint.host.stuck.add(VM);
  endpoint.host.domains.delete(VM);
  endpoint.host.addDomain(new SyntheticDomain(1, endpoint.shape, { ...ref, id: 2 }));
  await endpoint.cycle();
  await endpoint.cycle();
  assert.ok(endpoint.source.stats.blockedCalls <= 1);
  endpoint.host.release(VM);
  await endpoint.cycle();
  assert.equal((await endpoint.sample()).disks?.length, 3);
  assert.equal(endpoint.source.stats.blockedCalls, 0);
});
