import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { DomainSample } from "../../../src/collection/domain-sample.ts";
import { DISK_DETAILS, type DiskDetails } from "../../../src/collection/libvirt/disk-details.ts";
import type { TypedValue } from "../../../src/libvirt/types.ts";
import { needsOf } from "../../../src/measurement/registry.ts";
import { encode, points } from "../../support/encode.ts";
import { disk, sample } from "../../support/samples.ts";
import { SimulatedEndpoint } from "../../support/simulated-endpoint.ts";

const FAMILIES = ["Disks"] as const;

function details(device: string, values: Partial<DiskDetails> = {}): DiskDetails {
  return {
    ...disk(device),
    claim: undefined,
    image: [],
    readNs: 32_000_000n,
    writeNs: 128_000_000n,
    flushRequests: 4n,
    flushNs: 6_000_000n,
    capacity: 10_737_418_240n,
    allocation: 2_684_354_560n,
    physical: 2_684_420_096n,
    readLatencyUs: 250,
    writeLatencyUs: 500.5,
    flushLatencyUs: 1500,
    ...values,
  };
}

/** Returns the fields of the only disk. */
function fields(one: DomainSample): Readonly<Record<string, unknown>> {
  return Object.fromEntries(points([one], { families: FAMILIES })[0]?.fields ?? []);
}

/** Starts a daemon with one VM that has one disk. `set` changes what libvirt says about it. */
async function oneDisk(t: Parameters<typeof SimulatedEndpoint.start>[0]): Promise<{
  readonly endpoint: SimulatedEndpoint;
  readonly set: (values: Readonly<Record<string, TypedValue | undefined>>) => void;
}> {
  const shape = { nics: 1, disks: 1, seed: 1 };
  const endpoint = await SimulatedEndpoint.start(t, { domains: 1, shape, settings: { needs: needsOf(FAMILIES) } });
  return {
    endpoint,
    set: (values) => {
      endpoint.host.adjustStats = (_name, params) => {
        for (const [field, value] of Object.entries(values))
          if (value === undefined) params.delete(`block.0.${field}`);
          else params.set(`block.0.${field}`, value);
      };
    },
  };
}

test("each disk has a line, and values that libvirt does not report are left out even with Zero", () => {
  const bare = {
    ...details("vdb"),
    ...{ readLatencyUs: undefined, writeLatencyUs: undefined, flushLatencyUs: undefined },
    ...{ capacity: undefined, allocation: undefined, physical: undefined },
  };
  const one = sample({
    readings: new Map([[DISK_DETAILS, [details("vda", { volume: "rootdisk", claim: "web-root" }), bare]]]),
  });
  const { text, missing } = encode([one], { families: FAMILIES });
  assert.equal(text, readFileSync("test/golden/lines/disks.lp", "utf8"));
  assert.deepEqual(missing, []);
});

test("a sample without disks has no line", () => {
  assert.equal(encode([sample({ disks: undefined })], { families: FAMILIES }).text, "");
});

test("the latencies of a simulated VM come with its second sample, without a further call", async (t) => {
  const { endpoint } = await oneDisk(t);
  const first = fields(await endpoint.sample());
  assert.ok(!("rd_latency_us" in first) && !("wr_latency_us" in first) && !("fl_latency_us" in first));
  const bulkCalls = endpoint.newCalls("CONNECT_GET_ALL_DOMAIN_STATS");
  const second = fields(await endpoint.sample());
  assert.equal(second["rd_latency_us"], 250);
  assert.ok(Math.abs(Number(second["wr_latency_us"]) - 600) < 5);
  assert.ok(Math.abs(Number(second["fl_latency_us"]) - 1_000) < 50);
  const fill = Number(second["fill_percent"]);
  assert.ok(fill > 20 && fill <= 100, String(fill));
  assert.deepEqual([bulkCalls, endpoint.newCalls("CONNECT_GET_ALL_DOMAIN_STATS")], [1, 1]);
});

test("a latency is the time of the new requests, divided by their number", async (t) => {
  const { endpoint, set } = await oneDisk(t);
  set({ "rd.reqs": 100n, "rd.times": 1_000_000_000n, "wr.reqs": 7n, "wr.times": 10n });
  await endpoint.sample();
  set({ "rd.reqs": 104n, "rd.times": 1_006_000_000n, "wr.reqs": 7n, "wr.times": 10n });
  const { rd_latency_us: reads, ...others } = fields(await endpoint.sample());
  assert.equal(reads, 1_500);
  assert.ok(!("wr_latency_us" in others), "there were no writes");
});

test("a counter that was reset gives no latency, and the next sample is compared with it", async (t) => {
  const { endpoint, set } = await oneDisk(t);
  set({ "rd.reqs": 100n, "rd.times": 1_000_000n });
  await endpoint.sample();
  for (const reset of [
    { "rd.reqs": 3n, "rd.times": 2_000_000n },
    { "rd.reqs": 4n, "rd.times": 1n },
  ]) {
    set(reset);
    assert.ok(!("rd_latency_us" in fields(await endpoint.sample())));
  }
  set({ "rd.reqs": 6n, "rd.times": 4_001n });
  assert.equal(fields(await endpoint.sample())["rd_latency_us"], 2);
});

test("a disk that was unplugged and returns has no latency in its first sample", async (t) => {
  const { endpoint, set } = await oneDisk(t);
  await endpoint.sample();
  set({ name: "vdz" });
  await endpoint.sample();
  endpoint.host.adjustStats = () => undefined;
  assert.ok(!("rd_latency_us" in fields(await endpoint.sample())));
  assert.ok("rd_latency_us" in fields(await endpoint.sample()));
});

test("a disk has the claim of its volume, and no claim for a name that objects inherit", async (t) => {
  const volumes = ["rootdisk", "toString"];
  const vm = { name: "web", namespace: "shop", claims: { rootdisk: "web-root" } };
  const endpoint = await SimulatedEndpoint.start(t, {
    domains: 1,
    shape: { nics: 0, disks: 2, seed: 1 },
    settings: { needs: needsOf(FAMILIES) },
    identify: () => vm,
  });
  endpoint.host.adjustXml = (_name, xml) =>
    volumes.reduce(
      (text, volume) => text.replace("bus='virtio'/></disk>", `bus='virtio'/><alias name='ua-${volume}'/></disk>`),
      xml,
    );
  const written = points([await endpoint.sample("web")], { families: FAMILIES });
  assert.deepEqual(
    written.map(({ tags }) => [tags.get("volume"), tags.get("pvc")]),
    [
      ["rootdisk", "web-root"],
      ["toString", undefined],
    ],
  );
});

test("a disk without a size has no fill level", async (t) => {
  const { endpoint, set } = await oneDisk(t);
  for (const capacity of [0n, undefined]) {
    set({ capacity });
    assert.ok(!("fill_percent" in fields(await endpoint.sample())));
  }
});

test("nothing is kept of a VM that has ended, nor after the family is switched off", async (t) => {
  const { endpoint } = await oneDisk(t);
  await endpoint.sample();
  endpoint.host.inactive.add("vm-001");
  await endpoint.samples();
  endpoint.host.inactive.clear();
  assert.ok(!("rd_latency_us" in fields(await endpoint.sample())));
  const settings = { timeoutMs: 4_000, deviceCacheTtlMs: 300_000 };
  endpoint.source.configure({ ...settings, needs: [] });
  await endpoint.sample();
  endpoint.source.configure({ ...settings, needs: needsOf(FAMILIES) });
  assert.ok(!("rd_latency_us" in fields(await endpoint.sample())));
});

for (const [what, other] of [
  ["path", { path: "/other.img" }],
  ["number of its image", { backingIndex: 7 }],
] as const)
  test(`a disk whose ${what} changes is another volume, and has no latency in its first sample`, async (t) => {
    const { endpoint, set } = await oneDisk(t);
    set({ "rd.reqs": 100n, "rd.times": 1_000_000n });
    await endpoint.sample();
    const grown = { "rd.reqs": 200n, "rd.times": 9_000_000n };
    set({ ...grown, ...other });
    assert.ok(!("rd_latency_us" in fields(await endpoint.sample())));
    set({ ...other, "rd.reqs": 201n, "rd.times": 9_001_000n });
    assert.equal(fields(await endpoint.sample())["rd_latency_us"], 1);
  });
