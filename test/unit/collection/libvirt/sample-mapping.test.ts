import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hasCpuTimes, type BasicInfo } from "../../../../src/collection/libvirt/basic-info.ts";
import {
  cpuSample,
  deviceSamples,
  domainReport,
  memorySample,
} from "../../../../src/collection/libvirt/sample-mapping.ts";
import { STATS_GROUP } from "../../../../src/libvirt/protocol.ts";
import type { TypedValue } from "../../../../src/libvirt/types.ts";

const { BALLOON, BLOCK, INTERFACE, STATE } = STATS_GROUP;
const DEVICES = INTERFACE | BLOCK;
const ALL = DEVICES | BALLOON;

const BASIC_INFO: BasicInfo = {
  domain: { name: "web", uuid: "6b6f8c52-3f5e-4e2a-9a53-0c4f9c1f7a01", id: 1 },
  info: { state: 1, maxMemoryKiB: 2048n, memoryKiB: 1024n, vcpus: 2, cpuTimeNs: 99n },
  readMs: 5_000,
  cpu: { time: 30n, user: 20n, system: 10n, readMs: 5_000 },
};

function params(fields: Readonly<Record<string, TypedValue>>): ReadonlyMap<string, TypedValue> {
  return new Map(Object.entries(fields));
}

const BULK_CPU = params({ "cpu.time": 3n, "cpu.user": 2n, "cpu.system": 1n });

for (const [what, cpu, bulk, expected] of [
  ["the domain's cgroup first", BASIC_INFO.cpu, BULK_CPU, [30n, 20n, 10n]],
  ["the bulk statistics without cgroup", undefined, BULK_CPU, [3n, 2n, 1n]],
  ["both, field by field", { time: 30n, user: undefined, system: undefined, readMs: 5_000 }, BULK_CPU, [30n, 2n, 1n]],
  ["the basic information without both, which has only the total", undefined, undefined, [99n, undefined, undefined]],
] as const) {
  test(`CPU times come from ${what}`, () => {
    const { time, user, system, count } = cpuSample({ ...BASIC_INFO, cpu }, bulk);
    assert.deepEqual([time, user, system, count], [...expected, 2]);
    assert.equal(hasCpuTimes({ ...BASIC_INFO, cpu }), cpu === BASIC_INFO.cpu);
  });
}

test("memory sizes come from libvirt; balloon values are undefined without statistics", () => {
  const details = {
    rss: 1n,
    available: 2n,
    usable: 3n,
    swap_in: 4n,
    swap_out: 5n,
    major_fault: 6n,
    minor_fault: 7n,
    disk_caches: 8n,
  };
  const balloon = params(Object.fromEntries(Object.entries(details).map(([key, value]) => [`balloon.${key}`, value])));
  const own = { maximum: 2048n, current: 1024n, monotonicMs: 5_000 };
  assert.deepEqual(memorySample(BASIC_INFO, balloon), {
    ...own,
    rss: 1n,
    available: 2n,
    usable: 3n,
    swapIn: 4n,
    swapOut: 5n,
    majorFault: 6n,
    minorFault: 7n,
    diskCaches: 8n,
  });
  const { maximum, current, monotonicMs, ...unknown } = memorySample(BASIC_INFO, undefined);
  assert.deepEqual({ maximum, current, monotonicMs }, own);
  assert.ok(Object.values(unknown).every((value) => value === undefined));
});

const NAMES_ONLY = { "block.count": 1, "block.0.name": "vda", "balloon.current": 1n };

for (const [what, fields, groups, answered] of [
  ["counters of a disk", { ...NAMES_ONLY, "block.0.rd.reqs": 0n }, ALL, true],
  ["the resident set of a domain without disks", { "block.count": 0, "balloon.rss": 1n }, ALL, true],
  ["names only", NAMES_ONLY, ALL, false],
  ["names only, and no request for the balloon", NAMES_ONLY, DEVICES, false],
  ["no disks, and no request for the balloon", { "block.count": 0 }, DEVICES, true],
  ["the resident set, and no request for disks", { "balloon.rss": 1n }, BALLOON, true],
  ["no resident set, and no request for disks", { "balloon.current": 1n }, BALLOON, false],
  ["no disks and no resident set", { "block.count": 0, "balloon.current": 1n }, ALL, false],
] as const) {
  test(`statistics with ${what} mean that QEMU ${answered ? "answered" : "did not answer"}`, () => {
    assert.equal(domainReport(params(fields), groups).monitorAnswered, answered);
  });
}

test("statistics without groups of QEMU do not show whether it answers", () => {
  for (const groups of [INTERFACE, STATE])
    assert.equal(domainReport(params({ "net.count": 0 }), groups).monitorAnswered, undefined);
});

test("disks are undefined, not empty, if QEMU did not answer", () => {
  const layout = { nics: [{ device: "tap0" }], disks: [{ device: "vda" }], otherBlocks: new Set<string>() };
  const silent = domainReport(
    params({ ...NAMES_ONLY, "net.count": 1, "net.0.name": "tap0", "net.0.rx.bytes": 4n }),
    ALL,
  );
  const { nics, disks } = deviceSamples(layout, silent);
  assert.equal(nics?.[0]?.rxBytes, 4n);
  assert.equal(disks, undefined);
});

test("the devices are those of the layout, in its order, whatever the statistics hold", () => {
  const value = fc.oneof(fc.bigInt(), fc.integer(), fc.string(), fc.boolean(), fc.double());
  const field = fc.constantFrom(
    ...["net.count", "net.0.name", "net.1.name", "net.0.rx.bytes", "block.count", "block.0.name", "block.0.rd.reqs"],
  );
  const names = fc.uniqueArray(fc.constantFrom("tap0", "tap1", "vda", ""), { maxLength: 4 });
  fc.assert(
    fc.property(fc.array(fc.tuple(field, value)), names, names, (fields, nics, disks) => {
      const named = (devices: readonly string[]) => devices.map((device) => ({ device }));
      const layout = { nics: named(nics), disks: named(disks), otherBlocks: new Set<string>() };
      const report = domainReport(new Map(fields), ALL);
      const found = deviceSamples(layout, report);
      assert.deepEqual(
        found.nics?.map(({ device }) => device),
        nics,
      );
      assert.deepEqual(
        found.disks?.map(({ device }) => device),
        report.monitorAnswered === true ? disks : undefined,
      );
    }),
  );
});
