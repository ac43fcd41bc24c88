import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDomainXml } from "../../../src/discovery/domain-layout.ts";
import { STATS_GROUP } from "../../../src/libvirt/protocol.ts";
import { SimulatedHost } from "../../../src/simulator/simulated-host.ts";
import { SyntheticDomain } from "../../../src/simulator/synthetic-domain.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const { STATE, CPU_TOTAL, BALLOON, VCPU, INTERFACE, BLOCK } = STATS_GROUP;
const ALL = STATE | CPU_TOTAL | BALLOON | VCPU | INTERFACE | BLOCK;
const SHAPE = { nics: 2, disks: 3, seed: 1 };

test("the same seed gives the same domains, and another seed gives others", () => {
  const all = (seed: number): unknown => {
    const domain = new SyntheticDomain(4, { ...SHAPE, seed });
    return [domain.ref, domain.info(10), [...domain.stats(ALL, 10, true)], domain.xml()];
  };
  assert.deepEqual(all(1), all(1));
  assert.notDeepEqual(all(1), all(2));
});

test("the domains of a host differ in name, id, UUID and interfaces", () => {
  const domains = [...SimulatedHost.of(200, SHAPE).domains.values()];
  for (const key of ["name", "id", "uuid"] as const)
    assert.equal(new Set(domains.map(({ ref }) => ref[key])).size, 200);
  const nics = domains.flatMap((domain) =>
    parseDomainXml(domain.ref.name, domain.xml()).nics.map(({ device }) => device),
  );
  assert.equal(new Set(nics).size, 400);
});

test("UUIDs are of version 4, lower-case with dashes", () => {
  for (const { ref } of SimulatedHost.of(50, SHAPE).domains.values())
    assert.match(ref.uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("the XML and the statistics have the same devices, including the CD-ROM", () => {
  const domain = new SyntheticDomain(3, { nics: 4, disks: 60, seed: 9 });
  const { nics, disks, otherBlocks } = parseDomainXml(domain.ref.name, domain.xml());
  const stats = domain.stats(ALL, 1, true);
  const named = (kind: string): unknown[] =>
    Array.from({ length: Number(stats.get(`${kind}.count`)) }, (_, index) => stats.get(`${kind}.${index}.name`));
  assert.deepEqual(
    named("net"),
    nics.map(({ device }) => device),
  );
  assert.deepEqual(named("block"), [...disks.map(({ device }) => device), ...otherBlocks]);
  assert.deepEqual([disks[25]?.device, disks[26]?.device, disks[59]?.device], ["vdz", "vdaa", "vdbh"]);
});

test("counters never decrease, and those with traffic grow", () => {
  const domain = new SyntheticDomain(1, SHAPE);
  const counters = (seconds: number) =>
    new Map([...domain.stats(ALL, seconds, true)].filter(([field]) => /^(net|v?cpu)|reqs$|bytes$/.test(field)));
  let before = counters(0);
  for (let seconds = 1; seconds <= 100; seconds += 0.5) {
    const now = counters(seconds);
    for (const [field, value] of now)
      if (typeof value === "bigint") assert.ok(value >= Number(before.get(field) ?? 0), field);
    before = now;
  }
  for (const field of ["cpu.time", "vcpu.7.delay", "net.1.rx.bytes", "block.2.wr.bytes"])
    assert.ok(Number(before.get(field)) > 0);
});

test("all calls report the same CPU times, and memory is below its maximum", () => {
  const domain = new SyntheticDomain(2, SHAPE);
  const stats = domain.stats(ALL, 50, true);
  const info = domain.info(50);
  assert.equal(stats.get("cpu.time"), info.cpuTimeNs);
  assert.deepEqual(
    [...domain.cpuStats(50).values()],
    [stats.get("cpu.time"), stats.get("cpu.user"), stats.get("cpu.system")],
  );
  assert.equal(stats.get("balloon.current"), info.memoryKiB);
  for (let seconds = 0; seconds < 400; seconds++) {
    const { memoryKiB, maxMemoryKiB } = domain.info(seconds);
    assert.ok(memoryKiB > 0n && memoryKiB <= maxMemoryKiB);
  }
});

test("the bulk reply has the vCPUs of DOMAIN_GET_VCPUS, with or without QEMU's answer", () => {
  const domain = new SyntheticDomain(1, SHAPE);
  for (const monitor of [true, false]) {
    const stats = domain.stats(VCPU, 50, monitor);
    const vcpus = domain.vcpus(50);
    assert.equal(stats.get("vcpu.current"), vcpus.length);
    assert.equal(stats.size, 2 + vcpus.length * 4);
    for (const { number, state, cpuTimeNs } of vcpus) {
      const value = (field: string): unknown => stats.get(`vcpu.${number}.${field}`);
      assert.deepEqual([value("state"), value("time")], [state, cpuTimeNs]);
    }
  }
});

test("an offline vCPU is missing in every reply, and the others keep their numbers", () => {
  const domain = new SyntheticDomain(2, SHAPE); // with two vCPUs
  domain.offlineVcpus.add(0);
  assert.deepEqual(
    domain.vcpus(50).map(({ number }) => number),
    [1],
  );
  assert.equal(domain.info(50).vcpus, 1);
  assert.deepEqual(
    [...domain.stats(VCPU, 50, true).keys()],
    ["vcpu.current", "vcpu.maximum", "vcpu.1.state", "vcpu.1.time", "vcpu.1.wait", "vcpu.1.delay"],
  );
});

test("without QEMU there are only interfaces, names of disks and the size of the memory", () => {
  const fields = [...new SyntheticDomain(1, { nics: 1, disks: 1, seed: 1 }).stats(ALL, 1, false).keys()];
  assert.deepEqual(
    fields.filter((field) => /^(block|balloon)/.test(field)),
    [
      ...["balloon.current", "balloon.maximum", "block.count", "block.0.name", "block.0.path", "block.1.name"],
      "block.1.path",
    ],
  );
  assert.ok(fields.includes("net.0.rx.bytes"));
});

test("the statistics have only the requested groups", () => {
  const prefixes = (groups: number): string[] => [
    ...new Set(
      [...new SyntheticDomain(1, SHAPE).stats(groups, 1, true).keys()].map((field) => field.split(".")[0] ?? ""),
    ),
  ];
  assert.deepEqual(prefixes(0), []);
  assert.deepEqual(prefixes(STATE | VCPU), ["state", "vcpu"]);
  assert.deepEqual(prefixes(BALLOON | INTERFACE), ["balloon", "net"]);
});

test("an identity replaces the one of the index, and the XML escapes the name", () => {
  const domain = new SyntheticDomain(1, SHAPE, { name: "<a> & b", id: 9 });
  assert.deepEqual(domain.ref, { ...new SyntheticDomain(1, SHAPE).ref, name: "<a> & b", id: 9 });
  assert.match(domain.xml(), /id='9'><name>&#60;a&#62; &#38; b<\/name>/);
});

test("the uptime of a host follows its clock", async () => {
  const clock = new FakeClock();
  const host = new SimulatedHost(clock);
  const startS = host.uptimeS;
  await clock.advance(2_500);
  assert.equal(host.uptimeS - startS, 2.5);
});
