import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { CPU_USAGE } from "../../../../src/collection/libvirt/cpu-usage.ts";
import { DISK_DETAILS } from "../../../../src/collection/libvirt/disk-details.ts";
import { DEVICES, reading } from "../../../../src/collection/stats-needs.ts";
import { SimulatedEndpoint } from "../../../support/simulated-endpoint.ts";

test("the rate after a failed cycle covers the time since the last good one", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t);
  const before = await endpoint.sample();
  await endpoint.stopDaemon();
  assert.equal((await endpoint.cycle()).outcome, "failed");
  await endpoint.startDaemon();
  const after = await endpoint.sample();
  assert.deepEqual(after.previous, { current: before.memory.current, monotonicMs: before.memory.monotonicMs });
  assert.equal(after.memory.monotonicMs - before.memory.monotonicMs, 10_000);
});

/** Lets the counters of the domain begin again, as those of a new run. */
function startAgain(endpoint: SimulatedEndpoint): void {
  const domain = endpoint.domain("vm-001");
  const [from, info, cpuStats, stats] = [
    endpoint.host.uptimeS,
    domain.info.bind(domain),
    domain.cpuStats.bind(domain),
    domain.stats.bind(domain),
  ];
  domain.info = (seconds) => info(seconds - from);
  domain.cpuStats = (seconds) => cpuStats(seconds - from);
  domain.stats = (groups, seconds, ...more) => stats(groups, seconds - from, ...more);
}

/** Returns a function that tells whether the next sample has a rate of the memory, of the CPU time and of the time of reads. */
async function ratesOf(t: TestContext): Promise<[SimulatedEndpoint, () => Promise<boolean[]>]> {
  const endpoint = await SimulatedEndpoint.start(t, { settings: { needs: [DEVICES, CPU_USAGE, DISK_DETAILS] } });
  await endpoint.sample();
  const rates = async (): Promise<boolean[]> => {
    const sample = await endpoint.sample();
    const latency = reading(sample, DISK_DETAILS)?.[0]?.readLatencyUs;
    return [sample.previous, reading(sample, CPU_USAGE)?.percent, latency].map((value) => value !== undefined);
  };
  return [endpoint, rates];
}

test("rates go on after a cycle that a daemon does not answer", async (t) => {
  const [endpoint, rates] = await ratesOf(t);
  for (let turn = 0; turn < 3; turn++) {
    endpoint.host.freeze();
    assert.equal((await endpoint.cycle()).outcome, "failed");
    endpoint.host.thaw();
    assert.deepEqual(await rates(), [true, true, true]);
  }
});

test("a run that has the id of an old one after a restart of the daemon has no rates to the old one", async (t) => {
  const [endpoint, rates] = await ratesOf(t);
  assert.deepEqual(await rates(), [true, true, true]);
  // A libvirtd without running domains begins with the id 1 again.
  await endpoint.stopDaemon();
  startAgain(endpoint);
  await endpoint.startDaemon();
  assert.deepEqual(await rates(), [false, false, false]);
  assert.deepEqual(await rates(), [true, true, true]);
});
