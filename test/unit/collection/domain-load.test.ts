import assert from "node:assert/strict";
import { test } from "node:test";
import { domainLoads, type DomainLoad } from "../../../src/collection/domain-load.ts";
import type { DomainSample } from "../../../src/collection/domain-sample.ts";
import { disk, nic, sample } from "../../support/samples.ts";

/** Returns a sample that was taken `ms` later, with these differences. */
function later(ms: number, change: Partial<DomainSample> = {}): DomainSample {
  const first = sample();
  return { ...first, ...change, memory: { ...first.memory, monotonicMs: first.memory.monotonicMs + ms } };
}

function loadOf(after: DomainSample, before = sample()): DomainLoad | undefined {
  return domainLoads([before], [after]).get(after);
}

const cpu = (time: bigint): DomainSample["cpu"] => ({ ...sample().cpu, time });

test("a CPU that is busy half of the time counts 50 percent, four busy CPUs count 400", () => {
  const { time = 0n } = sample().cpu;
  assert.equal(loadOf(later(2_000, { cpu: cpu(time + 1_000_000_000n) }))?.cpuPercent, 50);
  assert.equal(loadOf(later(500, { cpu: cpu(time + 2_000_000_000n) }))?.cpuPercent, 400);
});

test("the load sums all devices, per second", () => {
  const after = later(2_000, {
    disks: [disk("vda", { readRequests: 138n, readBytes: 544_288n, writeRequests: 256n, writeBytes: 1_048_577n })],
    nics: [nic("tap0", { rxBytes: 3_000n }), nic("tap1", { rxBytes: 5_000n, txBytes: 2_002n })],
  });
  assert.deepEqual(loadOf(after), {
    cpuPercent: 0,
    diskReads: 5,
    diskReadBytes: 10_000,
    diskWrites: 0,
    diskWriteBytes: 0.5,
    netReceivedBytes: 3_000,
    netSentBytes: 1,
  });
});

test("a hot-plugged device counts from its second sample on, an unplugged one does not count", () => {
  const after = later(1_000, { nics: [nic("tap1", { rxBytes: 2_000n }), nic("tap2", { rxBytes: 1_000_000n })] });
  assert.equal(loadOf(after)?.netReceivedBytes, 1_000);
});

test("a value that one of the two samples lacks is undefined", () => {
  assert.equal(loadOf(later(1_000, { disks: undefined }))?.diskReads, undefined);
  assert.equal(loadOf(later(1_000), sample({ nics: undefined }))?.netSentBytes, undefined);
  assert.equal(loadOf(later(1_000, { nics: [nic("tap0", { txBytes: undefined })] }))?.netSentBytes, undefined);
  assert.equal(loadOf(later(1_000, { cpu: { ...sample().cpu, time: undefined } }))?.cpuPercent, undefined);
});

test("a counter that was reset gives no load", () => {
  assert.equal(loadOf(later(1_000, { cpu: cpu(1n) }))?.cpuPercent, undefined);
  assert.equal(loadOf(later(1_000, { disks: [disk("vda", { readBytes: 0n })] }))?.diskReadBytes, undefined);
});

test("a domain has no load after a restart, in its first sample, or if no time has passed", () => {
  const { identity } = sample();
  assert.equal(loadOf(later(1_000, { identity: { ...identity, id: 2 } })), undefined);
  assert.equal(domainLoads([], [later(1_000)]).size, 0);
  assert.equal(loadOf(later(0)), undefined);
});
