import assert from "node:assert/strict";
import { test } from "node:test";
import { BALLOON, DEVICES, type StatsNeed } from "../../../../src/collection/stats-needs.ts";
import type { SourceCycle } from "../../../../src/collection/source.ts";
import { byName, SimulatedEndpoint } from "../../../support/simulated-endpoint.ts";

const SLOW = "vm-002";

/** Returns for each domain the number of cycles with disks and memory values, which come from QEMU. */
function whole(cycles: readonly SourceCycle[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { samples } of cycles)
    for (const [name, { disks, memory, nics, cpu }] of byName(samples)) {
      assert.equal(nics?.length, 2, `${name} keeps its interfaces`);
      assert.ok(cpu.time !== undefined);
      counts[name] = (counts[name] ?? 0) + (disks?.length === 3 && memory.usable !== undefined ? 1 : 0);
    }
  return counts;
}

async function cycles(endpoint: SimulatedEndpoint, count: number): Promise<SourceCycle[]> {
  const done: SourceCycle[] = [];
  while (done.length < count) done.push(await endpoint.cycle());
  return done;
}

for (const [intervalMs, answerMs] of [
  [1_000, 600],
  [1_000, 700],
  [5_000, 600],
  [5_000, 1_300],
  [5_000, 3_500],
] as const) {
  test(`a QEMU that needs ${answerMs} ms has its disks in every cycle of ${intervalMs} ms, like the other domains`, async (t) => {
    const endpoint = await SimulatedEndpoint.start(t, { domains: 4, intervalMs });
    endpoint.host.slowMs.set(SLOW, answerMs);
    const done = await cycles(endpoint, 15);
    assert.deepEqual(whole(done), { "vm-001": 15, "vm-002": 15, "vm-003": 15, "vm-004": 15 });
    for (const { stuck, busy, slow, errors, tolerated } of done)
      assert.deepEqual(
        { stuck, busy, slow, errors, tolerated },
        { stuck: [], busy: [], slow: [], errors: [], tolerated: [] },
      );
  });
}

for (const intervalMs of [1_000, 5_000])
  test(`a QEMU that is slow by many commands has its disks from the second cycle of ${intervalMs} ms on`, async (t) => {
    const endpoint = await SimulatedEndpoint.start(t, { domains: 4, intervalMs });
    endpoint.host.commandMs = 50;
    endpoint.host.slowMs.set(SLOW, 600);
    // Together they take longer than a cycle of one second allows.
    endpoint.host.slowMs.set("vm-003", 500);
    await endpoint.cycle();
    const done = await cycles(endpoint, 10);
    assert.deepEqual(whole(done), { "vm-001": 10, "vm-002": 10, "vm-003": 10, "vm-004": 10 });
    for (const { slow, errors } of done) assert.deepEqual([slow, errors], [[], []]);
  });

test("the source learns to wait for a QEMU of 600 ms: one call per cycle, and no check for jobs", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: 4 });
  endpoint.host.slowMs.set(SLOW, 600);
  await endpoint.samples();
  assert.equal(endpoint.newCalls("CONNECT_GET_ALL_DOMAIN_STATS"), 2, "the source does not know the duration yet");
  endpoint.newCalls("DOMAIN_GET_CONTROL_INFO");
  await endpoint.samples();
  await endpoint.samples();
  assert.equal(endpoint.newCalls("CONNECT_GET_ALL_DOMAIN_STATS"), 2);
  assert.equal(endpoint.newCalls("DOMAIN_GET_CONTROL_INFO"), 0);
});

test("a slow QEMU has its memory in every cycle, and is not slow for ever, although no family needs its disks", async (t) => {
  const endpoint = await SimulatedEndpoint.old(t, { domains: 4, settings: { needs: [BALLOON] } });
  endpoint.host.slowMs.set(SLOW, 1_300);
  for (const { samples, slow } of await cycles(endpoint, 5)) {
    assert.deepEqual(slow, []);
    assert.deepEqual(
      samples.map(({ memory }) => memory.rss === undefined),
      [false, false, false, false],
    );
  }
});

test("a QEMU that never answers is stuck, although no family needs its disks", async (t) => {
  const endpoint = await SimulatedEndpoint.old(t, { domains: 2, settings: { needs: [BALLOON] } });
  endpoint.host.stuck.add(SLOW);
  const done = await cycles(endpoint, 4);
  assert.deepEqual(
    done.map(({ stuck, slow }) => [stuck, slow]),
    [
      [[], [SLOW]],
      [[], [SLOW]],
      [[SLOW], []],
      [[SLOW], []],
    ],
  );
});

test("a QEMU slower than a cycle has disks in the cycle of its answer, and is never stuck", async (t) => {
  const endpoint = await SimulatedEndpoint.old(t, { domains: 4, intervalMs: 1_000 });
  endpoint.host.slowMs.set(SLOW, 1_300);
  const done = await cycles(endpoint, 30);
  assert.deepEqual(whole(done), { "vm-001": 30, "vm-002": 15, "vm-003": 30, "vm-004": 30 });
  for (const { stuck, errors } of done) assert.deepEqual([stuck, errors], [[], []]);
});

test("four slow QEMUs of one daemon have their disks within a second, like the other domains", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: 12, intervalMs: 1_000 });
  for (const name of ["vm-001", "vm-003", "vm-004", "vm-012"]) endpoint.host.slowMs.set(name, 600);
  // The source learns of the slow domains one by one.
  await cycles(endpoint, 4);
  const done = await cycles(endpoint, 10);
  assert.deepEqual(new Set(Object.values(whole(done))), new Set([10]));
  for (const name of endpoint.host.slowMs.keys()) endpoint.host.slowMs.delete(name);
  await cycles(endpoint, 2);
  endpoint.newCalls("CONNECT_GET_ALL_DOMAIN_STATS");
  await endpoint.samples();
  assert.equal(endpoint.newCalls("CONNECT_GET_ALL_DOMAIN_STATS"), 1, "domains that are no longer slow are forgotten");
});

test("slow QEMUs do not affect each other, even if there are more of them than calls that may be blocked", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: 12 });
  // They would need 4.2 s one after the other.
  for (const name of ["vm-001", "vm-003", "vm-004", "vm-006", "vm-007", "vm-009", "vm-012"])
    endpoint.host.slowMs.set(name, 600);
  const done = await cycles(endpoint, 6);
  assert.deepEqual(new Set(Object.values(whole(done))), new Set([6]));
  for (const { errors, slow } of done) assert.deepEqual([errors, slow], [[], []]);
});

test("no counter and no timestamp decreases, whichever call returned the values", async (t) => {
  for (const { slow, slowMs, intervalMs } of [
    { slow: [SLOW], slowMs: 1_300, intervalMs: 1_000 },
    { slow: [SLOW], slowMs: 4_900, intervalMs: 5_000 },
    // More slow domains than calls may be blocked, so a cycle may have only libvirt's own values.
    { slow: ["vm-001", SLOW, "vm-004", "vm-005", "vm-006", "vm-007"], slowMs: 1_300, intervalMs: 1_000 },
  ]) {
    const endpoint = await SimulatedEndpoint.start(t, { domains: 8, intervalMs });
    endpoint.host.cgroups = false;
    for (const name of slow) endpoint.host.slowMs.set(name, slowMs);
    const last = new Map<string, bigint>();
    let timestamp = 0;
    for (const { samples } of await cycles(endpoint, 12)) {
      for (const { identity, cpu, nics = [], disks = [], timestampMs } of samples) {
        assert.ok(timestampMs >= timestamp);
        assert.ok(disks.length === 0 || cpu.user !== undefined, "totals would have a zero for it");
        timestamp = timestampMs;
        const values = [cpu.time, ...nics.map(({ rxBytes }) => rxBytes), ...disks.map(({ readBytes }) => readBytes)];
        const kinds = ["cpu", ...nics.map(({ device }) => device), ...disks.map(({ device }) => device)];
        for (const [index, kind] of kinds.entries()) {
          const [key, value] = [`${identity.name} ${kind}`, values[index] ?? 0n];
          assert.ok(value >= (last.get(key) ?? 0n), `${key} falls to ${value}`);
          last.set(key, value);
        }
      }
    }
  }
});

test("a QEMU is stuck after ten seconds without an answer, at every interval", async (t) => {
  for (const intervalMs of [1_000, 2_000, 5_000, 60_000]) {
    const endpoint = await SimulatedEndpoint.old(t, { domains: 4, intervalMs });
    endpoint.host.stuck.add(SLOW);
    const begun = endpoint.clock.monotonic();
    for (let cycle = 0; ; cycle++) {
      const { stuck, slow } = await endpoint.cycle();
      if (stuck.length > 0) {
        assert.deepEqual([stuck, slow], [[SLOW], []]);
        assert.equal(cycle, Math.ceil(10_000 / intervalMs) - (intervalMs > 10_000 ? 1 : 0));
        break;
      }
      assert.deepEqual(slow, [SLOW]);
      assert.ok(endpoint.clock.monotonic() - begun <= 60_000);
    }
  }
});

test("a domain with a job of another client is busy, not stuck, and does not affect the others", async (t) => {
  const endpoint = await SimulatedEndpoint.old(t, { domains: 4 });
  endpoint.host.otherJobs.set(SLOW, endpoint.host.nowMs);
  for (let ms = 0; ms <= 15_000; ms += 5_000) {
    const cycle = await endpoint.cycle();
    assert.deepEqual([cycle.stuck, cycle.errors], [[], []]);
    assert.deepEqual([cycle.busy, cycle.slow], ms < 10_000 ? [[], [SLOW]] : [[SLOW], []]);
    assert.deepEqual(whole([cycle]), { "vm-001": 1, "vm-002": 0, "vm-003": 1, "vm-004": 1 });
    assert.equal(endpoint.source.stats.blockedCalls, 0);
  }
  endpoint.host.otherJobs.clear();
  await endpoint.samples();
});

test("a call that waits for a domain with a job counts as blocked", async (t) => {
  const endpoint = await SimulatedEndpoint.old(t, { domains: 4 });
  endpoint.host.migrating.add(SLOW);
  endpoint.host.stuck.add(SLOW);
  const done = await cycles(endpoint, 4);
  assert.deepEqual(whole(done), { "vm-001": 4, "vm-002": 0, "vm-003": 4, "vm-004": 4 });
  assert.deepEqual(
    done.map(({ stuck, busy, slow, errors }) => [stuck, busy, slow, errors]),
    [
      [[], [], [SLOW], []],
      [[], [], [SLOW], []],
      [[], [SLOW], [], []],
      [[], [SLOW], [], []],
    ],
  );
  assert.equal(endpoint.server.blockedCalls, 1);
});

test("a first call for CPU statistics that takes seconds affects neither connection nor other values", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { intervalMs: 1_000 });
  const ready = Promise.withResolvers<undefined>();
  endpoint.host.cpuStatsReady = ready.promise;
  for (let cycle = 0; cycle < 4; cycle++)
    for (const sample of (await endpoint.samples()).values()) {
      assert.ok(sample.cpu.time !== undefined && sample.cpu.user !== undefined);
      assert.equal(sample.disks?.length, 3);
    }
  assert.equal(endpoint.newCalls("DOMAIN_GET_CPU_STATS"), 1);
  assert.equal(endpoint.newCalls("CONNECT_GET_LIB_VERSION"), 1);
  ready.resolve(undefined);
  await endpoint.samples();
  await endpoint.samples();
  assert.ok(endpoint.newCalls("DOMAIN_GET_CPU_STATS") >= 3, "CPU statistics are read once the probe has answered");
});

test("a busy VM stays busy in cycles that do not call its QEMU, until QEMU answers", async (t) => {
  const endpoint = await SimulatedEndpoint.old(t, { domains: 2, settings: { needs: [DEVICES] } });
  endpoint.host.otherJobs.set(SLOW, endpoint.clock.monotonic());
  const busyIn = async (needs?: readonly StatsNeed[]): Promise<readonly string[]> => (await endpoint.cycle(needs)).busy;
  await cycles(endpoint, 3);
  assert.deepEqual([await busyIn(), await busyIn([]), await busyIn([])], [[SLOW], [SLOW], [SLOW]]);
  endpoint.host.otherJobs.delete(SLOW);
  assert.deepEqual([await busyIn(), await busyIn([])], [[], []]);
});

test("a VM does not stay busy if the configuration no longer needs an answer of its QEMU", async (t) => {
  const endpoint = await SimulatedEndpoint.old(t, { domains: 2, settings: { needs: [DEVICES] } });
  endpoint.host.otherJobs.set(SLOW, endpoint.clock.monotonic());
  await cycles(endpoint, 4);
  endpoint.source.configure({ timeoutMs: 4_000, deviceCacheTtlMs: 300_000, needs: [] });
  assert.deepEqual((await endpoint.cycle()).busy, []);
});
