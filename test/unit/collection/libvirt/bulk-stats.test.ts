import assert from "node:assert/strict";
import { test } from "node:test";
import type { SourceCycle } from "../../../../src/collection/source.ts";
import { BALLOON } from "../../../../src/collection/stats-needs.ts";
import { byName, SimulatedEndpoint } from "../../../support/simulated-endpoint.ts";

function names(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `vm-${String(index + 1).padStart(3, "0")}`);
}

const TEN = names(10);

/** Returns the domains without QEMU's values, stuck or not stuck yet. */
function silent({ stuck, slow }: SourceCycle): string[] {
  return [...stuck, ...slow].sort();
}

/** Asserts that a cycle has libvirt's own values of these stuck domains, and all values of the others. */
function assertOnlyStuck(cycle: SourceCycle, expected: readonly string[]): void {
  const { outcome, samples, errors } = cycle;
  assert.deepEqual({ outcome, errors, silent: silent(cycle) }, { outcome: "collected", errors: [], silent: expected });
  const found = byName(samples);
  assert.deepEqual([...found.keys()], TEN);
  for (const [name, sample] of found) {
    const isStuck = expected.includes(name);
    assert.equal(sample.nics?.length, 2, name);
    assert.equal(sample.disks?.length, isStuck ? undefined : 3, name);
    assert.equal(sample.memory.usable === undefined, isStuck, name);
    assert.ok(sample.cpu.time !== undefined && sample.memory.current !== undefined, name);
  }
}

for (const stuck of [["vm-001"], ["vm-002", "vm-009"], ["vm-001", "vm-005", "vm-010"], TEN.slice(2, 6)]) {
  test(`with ${stuck.length} stuck domains, the others are complete in every cycle, and all are afterwards`, async (t) => {
    const endpoint = await SimulatedEndpoint.old(t, { domains: TEN.length });
    for (const name of stuck) endpoint.host.stuck.add(name);
    for (let ms = 0; ms <= 15_000; ms += 5_000) {
      const cycle = await endpoint.cycle();
      assertOnlyStuck(cycle, stuck);
      assert.deepEqual(cycle.stuck, ms < 10_000 ? [] : stuck, `stuck after ${ms} ms`);
      assert.equal(endpoint.source.stats.blockedCalls, stuck.length);
      assert.equal(endpoint.server.blockedCalls, stuck.length);
    }
    for (const name of stuck) endpoint.host.release(name);
    assertOnlyStuck(await endpoint.cycle(), []);
    assert.equal(endpoint.source.stats.blockedCalls, 0);
    assert.equal(endpoint.clients, 1);
  });
}

test("a domain that is stuck in the first cycle does not affect the others", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: TEN.length });
  endpoint.host.stuck.add("vm-004");
  assertOnlyStuck(await endpoint.cycle(), ["vm-004"]);
});

test("at most five calls are blocked, only stuck domains are named, and libvirt's own values stay", async (t) => {
  const endpoint = await SimulatedEndpoint.old(t, { domains: TEN.length });
  for (const name of TEN.slice(0, 8)) endpoint.host.stuck.add(name);
  for (let ms = 0; ms <= 15_000; ms += 5_000) {
    const cycle = await endpoint.cycle();
    const { outcome, samples, stuck, errors } = cycle;
    assert.equal(outcome, "collected");
    assert.deepEqual(silent(cycle), TEN.slice(0, 5), "no call reaches the sixth, and the last two are not stuck");
    assert.deepEqual(stuck, ms < 10_000 ? [] : TEN.slice(0, 5));
    assert.deepEqual(
      errors.map(({ code }) => code),
      ms < 10_000 ? [] : ["E_QEMU_STUCK"],
    );
    assert.deepEqual([...byName(samples).keys()], TEN);
    for (const { nics, disks, cpu } of samples) {
      assert.deepEqual([nics?.length, disks], [2, undefined]);
      assert.ok(cpu.time !== undefined);
    }
    assert.equal(endpoint.server.blockedCalls, 5);
  }
  for (const name of TEN.slice(0, 4)) endpoint.host.release(name);
  await endpoint.cycle();
  assertOnlyStuck(await endpoint.cycle(), TEN.slice(4, 8));
});

test("with too many stuck domains, a call without a safe group does not ask for all groups and block more workers", async (t) => {
  // Families that need nothing but a group of QEMU.
  const endpoint = await SimulatedEndpoint.old(t, { domains: TEN.length, settings: { needs: [BALLOON] } });
  for (const name of TEN.slice(0, 8)) endpoint.host.stuck.add(name);
  for (let ms = 0; ms <= 15_000; ms += 5_000) {
    const { outcome, samples } = await endpoint.cycle();
    assert.deepEqual([outcome, samples.length, endpoint.server.blockedCalls], ["collected", TEN.length, 5]);
  }
});

test("a domain blocks one call only, and the others are called once a cycle", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: TEN.length });
  endpoint.host.stuck.add("vm-003");
  await endpoint.cycle();
  assert.equal(endpoint.newCalls("CONNECT_GET_ALL_DOMAIN_STATS"), 2);
  await endpoint.cycle();
  await endpoint.cycle();
  assert.equal(endpoint.newCalls("CONNECT_GET_ALL_DOMAIN_STATS"), 2);
  assert.equal(endpoint.server.blockedCalls, 1);
});

test("a slow daemon whose QEMUs answer may finish its call", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: TEN.length });
  endpoint.host.monitorMs = 240;
  for (let cycle = 0; cycle < 3; cycle++) {
    assertOnlyStuck(await endpoint.cycle(), []);
    assert.equal(endpoint.newCalls("CONNECT_GET_ALL_DOMAIN_STATS"), 1);
    assert.equal(endpoint.source.stats.blockedCalls, 0);
  }
});

test("a daemon that takes as long as before is not checked for stuck domains", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: TEN.length });
  endpoint.host.monitorMs = 80;
  await endpoint.samples();
  assert.ok(endpoint.newCalls("DOMAIN_GET_CONTROL_INFO") > 0, "the source does not know the duration yet");
  await endpoint.samples();
  assert.equal(endpoint.newCalls("DOMAIN_GET_CONTROL_INFO"), 0);
  endpoint.host.stuck.add("vm-007");
  assertOnlyStuck(await endpoint.cycle(), ["vm-007"]);
});

test("after a late call that no QEMU blocks, no other call is made until it returns", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: 50 });
  endpoint.host.monitorMs = 240;
  const late = await endpoint.cycle();
  assert.deepEqual(
    late.errors.map(({ code }) => code),
    ["E_LIBVIRT_TIMEOUT"],
  );
  assert.deepEqual(silent(late), []);
  assert.equal(late.samples.length, 50, "libvirt's own values are present");
  assert.equal(late.samples[0]?.nics, undefined);
  assert.equal(endpoint.newCalls("CONNECT_GET_ALL_DOMAIN_STATS"), 1);
  const waiting = await endpoint.cycle();
  assert.deepEqual(
    waiting.errors.map(({ code }) => code),
    ["E_LIBVIRT_TIMEOUT"],
  );
  assert.deepEqual(silent(waiting), []);
  assert.equal(waiting.samples[0]?.nics?.length, 2, "interfaces are read without QEMU");
  assert.equal(endpoint.server.blockedCalls, 1);
  endpoint.host.monitorMs = 0;
  await endpoint.cycle();
  assert.equal((await endpoint.samples()).get("vm-050")?.disks?.length, 3);
});

for (const [what, healthy] of [
  ["found too late for another call in its cycle", 15],
  ["not found in its first cycle", 16],
] as const) {
  test(`a stuck domain that is ${what} does not affect the others from the next cycle on`, async (t) => {
    const endpoint = await SimulatedEndpoint.start(t, { domains: healthy + 1 });
    const last = names(healthy + 1).at(-1) ?? "";
    // The last domain is reached after 3.6 s, and after 3.84 s, of the cycle's 4 s.
    endpoint.host.monitorMs = 240;
    endpoint.host.stuck.add(last);
    const unexplained = await endpoint.cycle();
    assert.deepEqual(
      unexplained.errors.map(({ code }) => code),
      ["E_LIBVIRT_TIMEOUT"],
    );
    for (let cycle = 0; cycle < 2; cycle++) {
      const asked = await endpoint.cycle();
      const { samples, errors } = asked;
      assert.deepEqual({ silent: silent(asked), errors }, { silent: [last], errors: [] });
      for (const { identity, disks } of samples)
        assert.equal(disks?.length, identity.name === last ? undefined : 3, identity.name);
      assert.equal(endpoint.server.blockedCalls, 1);
    }
  });
}

test("a daemon that restarts while a domain is stuck is called again", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: TEN.length });
  endpoint.host.stuck.add("vm-002");
  await endpoint.cycle();
  await endpoint.stopDaemon();
  await endpoint.startDaemon();
  assert.equal(endpoint.source.stats.blockedCalls, 0);
  assertOnlyStuck(await endpoint.cycle(), ["vm-002"]);
  assert.equal(endpoint.source.stats.blockedCalls, 1);
});

test("a stuck domain that is destroyed is gone in the next cycle, and its call returns", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: TEN.length });
  endpoint.host.stuck.add("vm-002");
  await endpoint.cycle();
  endpoint.host.domains.delete("vm-002");
  endpoint.host.release("vm-002");
  const samples = await endpoint.samples();
  assert.equal(samples.size, TEN.length - 1);
  assert.equal(endpoint.source.stats.blockedCalls, 0);
});
