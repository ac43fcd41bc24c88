import assert from "node:assert/strict";
import { test } from "node:test";
import { statsGroups } from "../../../../src/collection/libvirt/stats-readers.ts";
import { BALLOON, CPU_TIMES, DEVICES, reading, type StatsReader } from "../../../../src/collection/stats-needs.ts";
import { LibvirtError } from "../../../../src/libvirt/errors.ts";
import { STATS_GROUP } from "../../../../src/libvirt/protocol.ts";
import { SimulatedEndpoint } from "../../../support/simulated-endpoint.ts";

test("the bulk call requests the union of the needs, and CPU times only without cgroups", () => {
  const { INTERFACE, BLOCK, BALLOON: balloon, CPU_TOTAL } = STATS_GROUP;
  assert.equal(statsGroups([], false), 0);
  assert.equal(statsGroups([DEVICES, BALLOON], false), INTERFACE | BLOCK | balloon);
  assert.equal(statsGroups([CPU_TIMES, DEVICES], true), INTERFACE | BLOCK);
  assert.equal(statsGroups([CPU_TIMES], false), CPU_TOTAL);
});

test("a reader reads a value of its own from the bulk statistics and from a call for the domain", async (t) => {
  const reader: StatsReader<{ readonly plugged: unknown; readonly vcpus: unknown }> = {
    groups: STATS_GROUP.VCPU,
    ask: (session, domain, options) => session.domainVcpus(domain, options),
    read: ({ report, answer }) => ({ plugged: report?.params.get("vcpu.current"), vcpus: answer }),
  };
  const endpoint = await SimulatedEndpoint.start(t, { settings: { needs: [reader] } });
  const sample = await endpoint.sample();
  const value = reading(sample, reader);
  assert.equal(value?.plugged, sample.cpu.count);
  assert.equal((value?.vcpus as readonly unknown[]).length, sample.cpu.count);
});

test("a rejected call of a reader leaves only that reader without an answer", async (t) => {
  const reader: StatsReader<string> = {
    groups: STATS_GROUP.VCPU,
    ask: (session, domain, options) =>
      session.domainXml({ ...domain, uuid: "00000000-0000-4000-a000-000000000000" }, options),
    read: ({ answer }) => (answer === undefined ? "no answer" : "an answer"),
  };
  const endpoint = await SimulatedEndpoint.start(t, { settings: { needs: [reader, DEVICES] } });
  const sample = await endpoint.sample();
  assert.equal(reading(sample, reader), "no answer");
  assert.equal(sample.nics?.length, 2);
});

test("a call of a reader that times out leaves only that reader without an answer, and is reported", async (t) => {
  const late: StatsReader<string> = {
    groups: 0,
    ask: () => Promise.reject(new LibvirtError("E_LIBVIRT_TIMEOUT", "no answer")),
    read: ({ answer }) => (answer === undefined ? "no answer" : "an answer"),
  };
  const other: StatsReader<string> = { groups: 0, read: () => "a value" };
  const endpoint = await SimulatedEndpoint.old(t, { domains: 1, settings: { needs: [other] } });
  endpoint.source.configure({ timeoutMs: 4_000, deviceCacheTtlMs: 300_000, needs: [late, other] });
  const { samples, errors } = await endpoint.cycle();
  assert.deepEqual(
    samples.map((sample) => [reading(sample, late), reading(sample, other)]),
    [["no answer", "a value"]],
  );
  assert.deepEqual(
    errors.map(({ code }) => code),
    ["E_LIBVIRT_TIMEOUT"],
  );
});
