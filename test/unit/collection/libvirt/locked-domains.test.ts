import assert from "node:assert/strict";
import { test } from "node:test";
import { SyntheticDomain } from "../../../../src/simulator/synthetic-domain.ts";
import { byName, SimulatedEndpoint } from "../../../support/simulated-endpoint.ts";

const AT_1_S = { intervalMs: 1_000, fakeDeadlines: true };

/** Starts a VM: libvirt holds its lock, so a list of all domains waits. */
function startVm({ host, shape }: SimulatedEndpoint, index: number): string {
  const domain = new SyntheticDomain(index, shape);
  host.addDomain(domain);
  host.lock(domain.ref.name);
  return domain.ref.name;
}

/** Runs a cycle at which nothing is missing of the VMs that are not locked. Returns their names. */
async function completeCycle(endpoint: SimulatedEndpoint): Promise<string[]> {
  const { outcome, samples, errors } = await endpoint.cycle();
  assert.deepEqual([outcome, errors], ["collected", []]);
  for (const { identity, nics, disks, memory } of samples)
    assert.ok(nics !== undefined && disks !== undefined && memory.rss !== undefined, `${identity.name} is complete`);
  return [...byName(samples).keys()].sort();
}

test("at an interval of 1 s, VMs that start cost the other VMs no cycle and not the connection", async (t) => {
  const endpoint = await SimulatedEndpoint.old(t, { ...AT_1_S, domains: 3 });
  const old = ["vm-001", "vm-002", "vm-003"];
  endpoint.newCalls("AUTH_LIST");
  for (let start = 4; start < 10; start++) {
    const name = startVm(endpoint, start);
    for (let second = 0; second < 3; second++) assert.deepEqual(await completeCycle(endpoint), old);
    endpoint.host.unlock(name);
    old.push(name);
    // The late list may be from before the end of the start.
    await completeCycle(endpoint);
    assert.deepEqual(await completeCycle(endpoint), old.toSorted());
  }
  assert.equal(endpoint.newCalls("AUTH_LIST"), 0, "new connections");
});

test("six VMs that start at once cost the other VMs no cycle and not the connection", async (t) => {
  const endpoint = await SimulatedEndpoint.old(t, { ...AT_1_S, domains: 3 });
  endpoint.newCalls("AUTH_LIST");
  const started = [4, 5, 6, 7, 8, 9].map((index) => startVm(endpoint, index));
  for (let second = 0; second < 3; second++) assert.equal((await completeCycle(endpoint)).length, 3);
  for (const name of started) endpoint.host.unlock(name);
  await completeCycle(endpoint);
  assert.equal((await completeCycle(endpoint)).length, 9);
  assert.equal(endpoint.newCalls("AUTH_LIST"), 0, "new connections");
});

test("VMs that are listed and then locked again are left out, and the others are complete", async (t) => {
  const endpoint = await SimulatedEndpoint.old(t, { ...AT_1_S, domains: 3 });
  endpoint.newCalls("AUTH_LIST");
  const started = [4, 5, 6, 7].map((index) => startVm(endpoint, index));
  for (const name of started) endpoint.host.unlock(name);
  // The lock is taken again right after the list.
  endpoint.host.onListed = () => {
    for (const name of started) endpoint.host.lock(name);
  };
  for (let second = 0; second < 4; second++) assert.equal((await completeCycle(endpoint)).length, 3);
  endpoint.host.onListed = () => undefined;
  for (const name of started) endpoint.host.unlock(name);
  await completeCycle(endpoint);
  assert.equal((await completeCycle(endpoint)).length, 7);
  assert.equal(endpoint.newCalls("AUTH_LIST"), 0, "new connections");
});

test("an old VM that is locked is reported, and the others are complete", async (t) => {
  const endpoint = await SimulatedEndpoint.old(t, { ...AT_1_S, domains: 3 });
  endpoint.newCalls("AUTH_LIST");
  endpoint.host.lock("vm-002");
  for (let second = 0; second < 8; second++) {
    const { outcome, samples, errors } = await endpoint.cycle();
    assert.deepEqual([outcome, errors.map(({ code }) => code)], ["collected", ["E_LIBVIRT_TIMEOUT"]]);
    assert.match(errors[0]?.message ?? "", /^vm-002 is left out: libvirt /);
    assert.deepEqual([...byName(samples).keys()], ["vm-001", "vm-003"]);
    assert.ok(samples.every(({ disks }) => disks !== undefined));
  }
  endpoint.host.unlock("vm-002");
  await completeCycle(endpoint);
  assert.equal((await completeCycle(endpoint)).length, 3);
  assert.equal(endpoint.newCalls("AUTH_LIST"), 0, "new connections");
});

test("a list that is late for 10 seconds is reported, and known VMs are still collected", async (t) => {
  const endpoint = await SimulatedEndpoint.old(t, { ...AT_1_S, domains: 3 });
  startVm(endpoint, 4);
  for (let second = 0; second < 10; second++) assert.equal((await completeCycle(endpoint)).length, 3);
  const { outcome, samples, errors } = await endpoint.cycle();
  assert.deepEqual([outcome, samples.length], ["collected", 3]);
  assert.match(errors[0]?.message ?? "", /^libvirt did not answer CONNECT_LIST_ALL_DOMAINS within 10\d{3} ms$/);
});

test("while the list is late, a VM that ends is left out without an error", async (t) => {
  const endpoint = await SimulatedEndpoint.old(t, { ...AT_1_S, domains: 3 });
  startVm(endpoint, 4);
  assert.equal((await completeCycle(endpoint)).length, 3);
  endpoint.host.domains.delete("vm-002");
  assert.deepEqual(await completeCycle(endpoint), ["vm-001", "vm-003"]);
});
