import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { DomainSample } from "../../../src/collection/domain-sample.ts";
import { CPU_USAGE, type CpuUsage } from "../../../src/collection/libvirt/cpu-usage.ts";
import { VCPUS } from "../../../src/collection/libvirt/vcpus.ts";
import type { Family, RawGroup } from "../../../src/contract.ts";
import { needsOf } from "../../../src/measurement/registry.ts";
import { encode, points } from "../../support/encode.ts";
import { sample } from "../../support/samples.ts";
import { SimulatedEndpoint } from "../../support/simulated-endpoint.ts";

const FAMILIES = ["Cpu"] as const;
const USAGE: CpuUsage = {
  time: 9_000_000_000n,
  isFromCgroup: true,
  readMs: 15_000,
  percent: 150,
  haltPollSuccess: 180_000_000n,
  haltPollFail: 45_000_000n,
  maxVcpus: 4,
};
const VCPU = { number: 0, state: 1, cpuTimeNs: 5_000_000_000n, cpu: 3, waitNs: 40_000_000n, delayNs: 300_000_000n };

function fields(one: DomainSample): Readonly<Record<string, unknown>> {
  return Object.fromEntries(points([one], { families: FAMILIES })[0]?.fields ?? []);
}

function endpointWith(
  t: Parameters<typeof SimulatedEndpoint.start>[0],
  families: readonly Family[] = FAMILIES,
  rawGroups: readonly RawGroup[] = [],
): Promise<SimulatedEndpoint> {
  return SimulatedEndpoint.start(t, { domains: 1, settings: { needs: needsOf(families, rawGroups) } });
}

test("a VM has its usage, and with its vCPUs their waits, in the order of the contract", () => {
  const other = { ...VCPU, number: 1, waitNs: 10_000_000n, delayNs: 200_000_000n };
  const readings = new Map<object, unknown>([
    [CPU_USAGE, USAGE],
    [VCPUS, [VCPU, other]],
  ]);
  const { text, missing } = encode([sample({ readings })], { families: FAMILIES });
  assert.equal(text, readFileSync("test/golden/lines/cpu.lp", "utf8"));
  assert.deepEqual(missing, []);
});

test("a sum over the vCPUs is left out if one of them lacks the value", () => {
  const readings = new Map<object, unknown>([
    [CPU_USAGE, USAGE],
    [VCPUS, [VCPU, { ...VCPU, number: 1, delayNs: undefined }]],
  ]);
  const written = fields(sample({ readings }));
  assert.deepEqual([written["steal_ns"], written["wait_ns"]], [undefined, 80_000_000n]);
});

test("a sample without a usage, or without any value, has no line", () => {
  const nothing = { percent: undefined, haltPollSuccess: undefined, haltPollFail: undefined, maxVcpus: undefined };
  const readings = new Map([[CPU_USAGE, { ...USAGE, ...nothing }]]);
  assert.equal(encode([sample(), sample({ readings })], { families: FAMILIES }).text, "");
});

test("the usage of a simulated VM comes with its second sample, without a call of its own", async (t) => {
  const endpoint = await endpointWith(t);
  assert.deepEqual(fields(await endpoint.sample()), {});
  const second = await endpoint.sample();
  const { usage_percent: percent, usage_of_vcpus_percent: share, ...others } = fields(second);
  assert.ok(Number(percent) > 0 && Number(percent) < 80 * (second.cpu.count ?? 0));
  assert.equal(Number(share), Number(percent) / (second.cpu.count ?? 0));
  assert.deepEqual(others, {});
  for (const call of ["CONNECT_GET_ALL_DOMAIN_STATS", "DOMAIN_GET_XML_DESC", "DOMAIN_GET_VCPUS"] as const)
    assert.equal(endpoint.newCalls(call), 0);
});

test("the maximum of vCPUs is known if the XML is read anyhow, and halt polling if its group is asked", async (t) => {
  const endpoint = await endpointWith(t, ["Cpu", "Totals"]);
  const { cpu } = await endpoint.sample();
  endpoint.domain("vm-001").offlineVcpus.add(0);
  const withCgroups = fields(await endpoint.sample());
  assert.equal(withCgroups["vcpus_max"], BigInt(cpu.count ?? 0));
  assert.ok(!("haltpoll_success_ns" in withCgroups));
  const launcher = await endpointWith(t, ["Cpu", "Totals"]);
  launcher.host.cgroups = false;
  const withoutCgroups = fields(await launcher.sample());
  assert.ok("haltpoll_success_ns" in withoutCgroups && "haltpoll_fail_ns" in withoutCgroups);
});

for (const [what, families] of [
  ["Raw with the group Vcpu", ["Cpu", "Raw"]],
  ["Vcpus", ["Cpu", "Vcpus"]],
] as const)
  test(`the maximum of vCPUs is not lost with the family ${what} and no family that reads the XML`, async (t) => {
    const endpoint = await endpointWith(t, families, ["Vcpu"]);
    const one = await endpoint.sample();
    assert.equal(fields(one)["vcpus_max"], BigInt(one.cpu.count ?? 0));
  });

test("a CPU time that was reset, or comes from another source, gives no usage", async (t) => {
  const endpoint = await endpointWith(t);
  const written = async (): Promise<readonly string[]> => Object.keys(fields(await endpoint.sample()));
  await endpoint.sample();
  const info = endpoint.domain("vm-001").cpuStats.bind(endpoint.domain("vm-001"));
  endpoint.domain("vm-001").cpuStats = (seconds) => info(seconds - 3_000);
  assert.deepEqual(await written(), []);
  assert.deepEqual(await written(), ["usage_percent", "usage_of_vcpus_percent"]);
  endpoint.host.cgroups = false;
  assert.deepEqual(await written(), []);
  assert.deepEqual(await written(), ["usage_percent", "usage_of_vcpus_percent"]);
});

test("usage counts from when the cgroup's time was read, not from an earlier reply of the same cycle", () => {
  const info = { state: 1, maxMemoryKiB: 1n, memoryKiB: 1n, vcpus: 1, cpuTimeNs: 0n };
  const one = sample();
  const usage = (readMs: number, cpuReadMs: number, time: bigint, previous?: CpuUsage): CpuUsage | undefined => {
    const cpu = { time, user: undefined, system: undefined, readMs: cpuReadMs };
    const about = { sample: one, report: undefined, kept: undefined, vm: { name: "web" }, layout: undefined };
    const domain = { name: "web", uuid: "u", id: 1 };
    const rest = { startedS: undefined, answer: undefined };
    return CPU_USAGE.read({ ...about, ...rest, info: { domain, info, readMs, cpu } }, previous);
  };
  // One CPU is in use. The first of the two replies for the CPU times is a second late.
  const first = usage(0, 1_000, 1_000_000_000n);
  assert.equal(usage(5_000, 5_000, 5_000_000_000n, first)?.percent, 100);
});
