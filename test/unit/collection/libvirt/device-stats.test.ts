import assert from "node:assert/strict";
import { test } from "node:test";
import {
  diskIndex,
  diskSample,
  hasDiskCounters,
  nicIndex,
  nicSample,
} from "../../../../src/collection/libvirt/device-stats.ts";
import type { TypedValue } from "../../../../src/libvirt/types.ts";

function params(fields: Readonly<Record<string, TypedValue>>): ReadonlyMap<string, TypedValue> {
  return new Map(Object.entries(fields));
}

test("devices are found by name, also if their indexes have gaps", () => {
  const stats = params({ "net.count": 5, "net.1.name": "tap0", "net.4.name": "tap1" });
  assert.deepEqual(
    [...nicIndex(stats)],
    [
      ["tap0", 1],
      ["tap1", 4],
    ],
  );
  assert.deepEqual([...diskIndex(stats)], []);
});

test("a wrong device count does not cause a long search", () => {
  for (const count of [-1, 2 ** 32 - 1, 2n ** 64n - 1n, "2", true, 1.5])
    assert.equal(nicIndex(params({ "net.count": count, "net.5000.name": "far" })).size, 0);
});

test("each counter of an interface comes from its own parameter", () => {
  const stats = params({
    "net.3.rx.bytes": 1n,
    "net.3.rx.pkts": 2n,
    "net.3.rx.errs": 3n,
    "net.3.rx.drop": 4n,
    "net.3.tx.bytes": 5n,
    "net.3.tx.pkts": 6n,
    "net.3.tx.errs": 7n,
    "net.3.tx.drop": 2n ** 64n - 1n,
  });
  assert.deepEqual(nicSample({ device: "tap0", alias: "default" }, stats, 3), {
    device: "tap0",
    network: "default",
    rxBytes: 1n,
    rxPackets: 2n,
    rxErrors: 3n,
    rxDrops: 4n,
    txBytes: 5n,
    txPackets: 6n,
    txErrors: 7n,
    txDrops: 2n ** 64n - 1n,
  });
});

test("each counter of a disk comes from its own parameter, and errors are 0 where QEMU has none", () => {
  const stats = params({
    "block.0.rd.reqs": 1n,
    "block.0.rd.bytes": 2n,
    "block.0.wr.reqs": 3n,
    "block.0.wr.bytes": 4n,
  });
  const disk = { device: "vda", readRequests: 1n, readBytes: 2n, writeRequests: 3n, writeBytes: 4n, errors: 0n };
  assert.deepEqual(diskSample({ device: "vda" }, stats, 0), disk);
  assert.deepEqual(diskSample({ device: "vda" }, new Map([...stats, ["block.0.errors", -1n]]), 0), disk);
  assert.equal(diskSample({ device: "vda" }, new Map([...stats, ["block.0.errors", 9n]]), 0).errors, 9n);
  assert.equal(diskSample({ device: "vda", alias: "root" }, stats, 0).volume, "root");
});

test("a device that is missing in the statistics has no values", () => {
  const stats = params({ "net.0.rx.bytes": 1n, "block.0.rd.bytes": 1n });
  const nic = Object.values(nicSample({ device: "tap9" }, stats, undefined));
  assert.deepEqual(nic, ["tap9", ...Array<undefined>(8).fill(undefined)]);
  assert.equal(diskSample({ device: "vdz" }, stats, undefined).readBytes, undefined);
});

test("names without counters mean that QEMU was not called", () => {
  const names = { "block.count": 2, "block.0.name": "vda", "block.1.name": "vdb" };
  const without = params(names);
  assert.equal(hasDiskCounters(without, diskIndex(without)), false);
  const having = params({ ...names, "block.1.rd.reqs": 0n });
  assert.equal(hasDiskCounters(having, diskIndex(having)), true);
});
