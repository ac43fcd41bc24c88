import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { DomainSample } from "../../../src/collection/domain-sample.ts";
import { VCPUS } from "../../../src/collection/libvirt/vcpus.ts";
import { needsOf } from "../../../src/measurement/registry.ts";
import { encode, points } from "../../support/encode.ts";
import { sample } from "../../support/samples.ts";
import { SimulatedEndpoint } from "../../support/simulated-endpoint.ts";

const FAMILIES = ["Vcpus"] as const;

/** Returns the names of the fields of each line of `vm_vcpus`, by its tag `vcpu`. */
function lines(one: DomainSample): Record<string, string[]> {
  const written = points([one], { families: FAMILIES });
  return Object.fromEntries(written.map(({ tags, fields }) => [tags.get("vcpu") ?? "", [...fields.keys()]] as const));
}

test("each vCPU has a line, and values that libvirt does not know are left out even with Zero", () => {
  const vcpus = [
    { number: 0, state: 1, cpuTimeNs: 5_000_000_000n, cpu: 3, waitNs: 40_000_000n, delayNs: 300_000_000n },
    { number: 2, state: 2, cpuTimeNs: 4_000_000_000n, cpu: -1, waitNs: undefined, delayNs: undefined },
  ];
  const { text, missing } = encode([sample({ readings: new Map([[VCPUS, vcpus]]) })], { families: FAMILIES });
  assert.equal(text, readFileSync("test/golden/lines/vcpus.lp", "utf8"));
  assert.deepEqual(missing, []);
});

test("a sample without vCPUs has no line", () => {
  assert.equal(encode([sample()], { families: FAMILIES }).text, "");
});

test("the vCPUs of a simulated VM are read in two calls, without those that are unplugged", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, {
    domains: 1,
    shape: { nics: 1, disks: 1, seed: 1 },
    settings: { needs: needsOf(FAMILIES) },
  });
  const domain = endpoint.domain("vm-001");
  const all = Object.keys(lines(await endpoint.sample()));
  assert.ok(all.length > 1, "more than one vCPU");
  domain.offlineVcpus.add(0);
  const written = lines(await endpoint.sample());
  assert.deepEqual(Object.keys(written), all.slice(1));
  for (const fields of Object.values(written))
    assert.deepEqual(fields, ["state", "time_ns", "cpu", "wait_ns", "delay_ns"]);
  assert.equal(endpoint.newCalls("DOMAIN_GET_VCPUS"), 2);
});

test("without the family Vcpus there is no call for vCPUs", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: 1 });
  await endpoint.sample();
  assert.equal(endpoint.newCalls("DOMAIN_GET_VCPUS"), 0);
});
