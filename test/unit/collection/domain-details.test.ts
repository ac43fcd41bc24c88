import assert from "node:assert/strict";
import { test } from "node:test";
import { latestDetails, type DomainDetails } from "../../../src/collection/domain-details.ts";
import type { DomainSample } from "../../../src/collection/domain-sample.ts";
import { DISK_DETAILS } from "../../../src/collection/libvirt/disk-details.ts";
import { GUEST_MEMORY } from "../../../src/collection/libvirt/guest-memory.ts";
import { STATUS } from "../../../src/collection/libvirt/status.ts";
import { VCPUS } from "../../../src/collection/libvirt/vcpus.ts";
import { DOMAIN_STATE } from "../../../src/libvirt/protocol.ts";
import { sample } from "../../support/samples.ts";

const GUEST = { isReported: true, unused: undefined, lastUpdateS: 1n };

/** Returns a sample at a second with these readings. */
function at(second: number, readings?: ReadonlyMap<object, unknown>): DomainSample {
  const { memory } = sample();
  return sample({
    memory: { ...memory, available: 1_000n, usable: 250n, monotonicMs: second * 1000 },
    ...(readings !== undefined && { readings }),
  });
}

function vcpus(...delaysMs: readonly (number | undefined)[]): ReadonlyMap<object, unknown> {
  const delays = delaysMs.map((ms) => ({ delayNs: ms === undefined ? undefined : BigInt(ms) * 1_000_000n }));
  return new Map([[VCPUS, delays]]);
}

/** Returns the details of the only domain after these cycles. */
function after(...samples: readonly DomainSample[]): DomainDetails {
  let details: ReadonlyMap<string, DomainDetails> = new Map();
  for (const one of samples) details = latestDetails([one], details);
  return [...details.values()][0] ?? {};
}

test("without a family that is off by default there are no details, and nothing is kept", () => {
  assert.equal(latestDetails([at(0)]).size, 0);
  assert.equal(latestDetails([at(0)]), latestDetails([at(5), at(6)]));
});

test("the latency is that of the slowest disk, and undefined without requests", () => {
  const disks = (...latencies: readonly object[]): ReadonlyMap<object, unknown> => new Map([[DISK_DETAILS, latencies]]);
  const { latencyUs } = after(at(0, disks({ readLatencyUs: 250 }, { readLatencyUs: 90, writeLatencyUs: 700 })));
  assert.equal(latencyUs?.value, 700);
  assert.equal(after(at(0, disks({}))).latencyUs?.value, undefined);
});

test("used memory is a part of what the guest sees, and undefined if the guest has not reported", () => {
  assert.equal(after(at(0, new Map([[GUEST_MEMORY, GUEST]]))).usedPercent?.value, 75);
  assert.equal(after(at(0, new Map([[GUEST_MEMORY, { ...GUEST, isReported: false }]]))).usedPercent?.value, undefined);
});

test("only a VM that does not run has a reason", () => {
  const { PAUSED, RUNNING } = DOMAIN_STATE;
  const paused = { ...at(0, new Map([[STATUS, { state: PAUSED, reason: 5 }]])), state: PAUSED };
  assert.equal(after(paused).reason?.value, "io-error");
  assert.equal(after(paused, { ...at(5), state: PAUSED }).reason?.value, "io-error");
  assert.equal(after(paused, { ...at(5), state: RUNNING }).reason, undefined);
  assert.equal(after({ ...paused, state: RUNNING }).reason, undefined);
});

test("steal time is an average over the vCPUs between two samples that have it", () => {
  const steps = [at(0, vcpus(0, 0)), at(5), at(10, vcpus(1_000, 3_000))];
  assert.equal(after(...steps.slice(0, 2)).stealPercent?.value, undefined);
  assert.equal(after(...steps).stealPercent?.value, 20);
});

test("a counter that restarts and a vCPU that is plugged give no steal time", () => {
  assert.equal(after(at(0, vcpus(500)), at(10, vcpus(100))).stealPercent?.value, undefined);
  assert.equal(after(at(0, vcpus(500)), at(10, vcpus(600, 100))).stealPercent?.value, undefined);
  assert.equal(after(at(0, vcpus(500)), at(10, vcpus(undefined))).stealPercent?.value, undefined);
});

test("a value stays in the cycles without its family, and ends when the family is off", () => {
  const first = at(0, new Map([[GUEST_MEMORY, GUEST]]));
  assert.equal(after(first, at(5), at(10)).usedPercent?.value, 75);
  assert.equal(after(first, at(301)).usedPercent, undefined);
});
