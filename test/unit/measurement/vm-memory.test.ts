import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { DomainSample, MemorySample } from "../../../src/collection/domain-sample.ts";
import { GUEST_MEMORY, type GuestMemory } from "../../../src/collection/libvirt/guest-memory.ts";
import { needsOf } from "../../../src/measurement/registry.ts";
import { encode, points } from "../../support/encode.ts";
import { sample } from "../../support/samples.ts";
import { SimulatedEndpoint } from "../../support/simulated-endpoint.ts";

const FAMILIES = ["Memory"] as const;
const REPORTED: GuestMemory = {
  isReported: true,
  unused: 500_000n,
  lastUpdateS: 1_699_899_993n,
  hugePagesAllocated: 12n,
  hugePagesFailed: 1n,
};

function withGuest(guest: Partial<GuestMemory>, memory: Partial<MemorySample> = {}): DomainSample {
  const one = sample({ readings: new Map([[GUEST_MEMORY, { ...REPORTED, ...guest }]]) });
  return { ...one, memory: { ...one.memory, ...memory } };
}

function fields(one: DomainSample): Readonly<Record<string, unknown>> {
  return Object.fromEntries(points([one], { families: FAMILIES })[0]?.fields ?? []);
}

test("a VM whose guest reports its memory has all fields in the order of the contract", () => {
  const { text, missing } = encode([withGuest({})], { families: FAMILIES });
  assert.equal(text, readFileSync("test/golden/lines/memory.lp", "utf8"));
  assert.deepEqual(missing, []);
});

test("what a guest without a balloon driver does not report is left out even with Zero", () => {
  const silent = withGuest({ isReported: false, lastUpdateS: 0n });
  for (const one of [silent, sample({ readings: new Map([[GUEST_MEMORY, undefined]]) })])
    assert.deepEqual(Object.keys(fields(one)), ["ballooned_kb", "overhead_kb"]);
});

test("used memory is what is available without what is usable, or without what is unused", () => {
  assert.equal(fields(withGuest({}, { usable: 250_000n }))["used_kb"], 750_000n);
  const windows = fields(withGuest({}, { usable: undefined }));
  assert.deepEqual([windows["used_kb"], windows["used_percent"]], [500_000n, 50]);
  const neither = fields(withGuest({ unused: undefined }, { usable: undefined }));
  assert.ok(!("used_kb" in neither) && !("used_percent" in neither));
});

test("numbers that contradict each other give no value instead of a wrong one", () => {
  const more = fields(withGuest({}, { usable: 2_000_000n, current: 2_000_000n }));
  assert.ok(!("used_kb" in more) && !("used_percent" in more) && !("ballooned_kb" in more));
  assert.ok(!("used_percent" in fields(withGuest({}, { available: 0n, usable: 0n }))));
});

test("the age of the guest's numbers is in whole seconds, 0 if it is a second ahead, and unknown beyond", () => {
  assert.equal(fields(withGuest({ lastUpdateS: 1_699_900_001n }))["guest_stats_age_s"], 0n);
  assert.equal(fields(withGuest({ lastUpdateS: 1_699_899_000n }))["guest_stats_age_s"], 1_000n);
  assert.ok(!("guest_stats_age_s" in fields(withGuest({ lastUpdateS: 1_699_900_002n }))));
  assert.ok(!("guest_stats_age_s" in fields(withGuest({ lastUpdateS: undefined }))));
});

test("the memory of a simulated VM is consistent, and libvirt is asked nothing else for it", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: 1, settings: { needs: needsOf(FAMILIES) } });
  const one = await endpoint.sample();
  const written = fields(one);
  assert.equal(written["used_kb"], (one.memory.available ?? 0n) - (one.memory.usable ?? 0n));
  assert.ok(Number(written["guest_stats_age_s"]) < 10);
  assert.equal(written["overhead_kb"], 90_000n);
  endpoint.host.adjustStats = (_name, params) => params.set("balloon.last-update", 0n);
  assert.ok(!("used_kb" in fields(await endpoint.sample())));
});
