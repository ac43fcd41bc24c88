import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { RAW } from "../../../src/collection/libvirt/raw-parameters.ts";
import { DISK_COUNTERS, FAMILY_NAMES, RAW_GROUP_NAMES, TAGS, type Family } from "../../../src/contract.ts";
import { PROCEDURE, STATS_GROUP } from "../../../src/libvirt/protocol.ts";
import { Double, type TypedValue } from "../../../src/libvirt/types.ts";
import type { EncoderOptions } from "../../../src/measurement/encoder.ts";
import type { RawOptions } from "../../../src/measurement/measurement.ts";
import { RawTypes } from "../../../src/measurement/raw-types.ts";
import { needsOf } from "../../../src/measurement/registry.ts";
import { encode, points } from "../../support/encode.ts";
import { sample } from "../../support/samples.ts";
import { SimulatedEndpoint } from "../../support/simulated-endpoint.ts";

function options(raw: Partial<RawOptions> = {}): Partial<EncoderOptions> {
  const all = { groups: RAW_GROUP_NAMES, families: ["Raw"] as const, tags: TAGS, types: new RawTypes() };
  return { families: ["Raw"], raw: { ...all, ...raw } };
}

function withParameters(...entries: readonly (readonly [string, TypedValue])[]) {
  return sample({ readings: new Map([[RAW, new Map(entries)]]) });
}

/** Returns the fields of the only line. */
function fields(entries: readonly (readonly [string, TypedValue])[], raw: Partial<RawOptions> = {}) {
  return Object.fromEntries(points([withParameters(...entries)], options(raw))[0]?.fields ?? []);
}

/** Names and types of libvirt 12, as its headers have them. */
const LIBVIRT_12: readonly (readonly [string, TypedValue])[] = [
  ["cpu.energy.monitor.count", 1],
  ["cpu.energy.monitor.0.name", "vcpus_0-3"],
  ["cpu.energy.monitor.0.vcpus", "0-3"],
  ["cpu.energy.monitor.0.pkg.count", 1],
  ["cpu.energy.monitor.0.pkg.0.id", 0],
  ["cpu.energy.monitor.0.pkg.0.core_energy", new Double(12)],
  ["cpu.energy.monitor.0.pkg.0.activity", new Double(0.5)],
  ["vcpu.0.halt_exits.sum", 1_234n],
  ["vcpu.0.guest_mode.cur", true],
  ["block.0.name", "vda"],
  ["block.0.limits.request_alignment", 512n],
  ["block.0.timed_group.count", 1],
  ["block.0.timed_group.0.interval", 60n],
  ["block.0.timed_group.0.rd_latency_min", 12_000n],
  ["block.0.timed_group.0.rd_latency_max", 900_000n],
  ["block.0.timed_group.0.rd_latency_avg", 80_000n],
  ["block.0.timed_group.0.rd_queue_depth_avg", new Double(2)],
  ["block.0.latency_histogram.read.bin.count", 2],
  ["block.0.latency_histogram.read.bin.0.start", 0n],
  ["block.0.latency_histogram.read.bin.0.value", 5n],
  ["block.0.latency_histogram.read.bin.1.start", 100_000n],
  ["block.0.latency_histogram.read.bin.1.value", 7n],
  ["iothread.count", 1],
  ["iothread.1.poll-max-ns", 32_768n],
  ["iothread.1.poll-weight", 4],
  ["vm.remote_tlb_flush.sum", 77n],
];

test("parameters of libvirt 12 are lines of their groups, with their types", () => {
  const { text, counters } = encode([withParameters(...LIBVIRT_12)], options());
  assert.equal(text, readFileSync("test/golden/lines/raw.lp", "utf8"));
  assert.equal(counters.omittedParameters, 0);
});

test("an unknown parameter of a newer libvirt arrives with its type", () => {
  assert.deepEqual(
    fields([
      ["block.3.brand-new.number", 7],
      ["block.3.brand.new.big", 2n ** 63n],
      ["block.3.negative", -5n],
      ["block.3.ratio", new Double(3)],
      ["block.3.flag", false],
      ["block.3.text", 'a "b"\nc'],
      ["block.3.nothing", new Double(Number.NaN)],
    ]),
    {
      ...{ brand_new_number: 7n, brand_new_big: 2n ** 63n - 1n, negative: -5n, ratio: 3, flag: false },
      text: 'a "b" c',
    },
  );
});

test("only the groups that are asked for have lines", () => {
  const measured = points([withParameters(...LIBVIRT_12)], options({ groups: ["Iothread", "Vm"] }));
  assert.deepEqual(
    measured.map(({ tags }) => [tags.get("group"), tags.get("index")]),
    [
      ["Iothread", undefined],
      ["Iothread", "1"],
      ["Vm", undefined],
    ],
  );
});

test("a parameter that another family of the targets writes is left out, and is there without that family", () => {
  const entries = Object.values(DISK_COUNTERS).map(({ stat }) => [`block.0.${stat}`, 1n] as const);
  assert.deepEqual(fields([...entries, ["block.0.threshold", 5n]], { families: ["Devices", "Raw"] }), {
    threshold: 5n,
  });
  assert.equal(Object.keys(fields(entries, { families: ["Metrics", "Raw"] })).length, entries.length);
});

test("all families together leave only what none of them writes of a simulated VM", async (t) => {
  const groups = RAW_GROUP_NAMES;
  const endpoint = await SimulatedEndpoint.start(t, { domains: 1, settings: { needs: needsOf(["Raw"], groups) } });
  endpoint.host.cgroups = false;
  const one = await endpoint.sample();
  const left = (families: readonly Family[]): ReadonlySet<string> =>
    new Set(points([one], options({ families })).flatMap(({ fields: some }) => [...some.keys()]));
  assert.deepEqual([...left(FAMILY_NAMES)].sort(), ["count", "name_", "path"]);
  assert.ok(left(["Raw"]).has("rd_times") && left(["Raw"]).has("time_") && left(["Raw"]).has("rss"));
});

test("a field that has the name of a tag or of the time gets an underscore", () => {
  const tags = [...TAGS, "site", "site_"];
  assert.deepEqual(
    fields(
      [
        ["vcpu.0.time", 1n],
        ["vcpu.0.name", "x"],
        ["vcpu.0.site", 2n],
      ],
      { tags },
    ),
    {
      ...{ time_: 1n, name_: "x", site__: 2n },
    },
  );
});

test("a field keeps the type that it had first, and others are left out and counted", () => {
  const types = new RawTypes();
  const write = (value: TypedValue) => encode([withParameters(["perf.new", value])], options({ types }));
  assert.match(write(1n).text, / new=1i /);
  for (const value of [new Double(1), "1", true]) {
    const { text, counters } = write(value);
    assert.deepEqual([text, counters.omittedParameters], ["", 1]);
  }
  assert.match(write(2).text, / new=2i /);
});

test("no launcher gives a known field another type, even if it is the first to send it", () => {
  const wrong = (value: TypedValue): TypedValue => (typeof value === "string" ? 1n : "wrong");
  for (const [name, value] of LIBVIRT_12) {
    const types = new RawTypes();
    assert.equal(encode([withParameters([name, wrong(value)])], options({ types })).text, "", name);
    assert.notEqual(encode([withParameters([name, value])], options({ types })).text, "", name);
  }
});

test("a known field keeps its type if a tag has its name", () => {
  const raw = options({ tags: [...TAGS, "rss"] });
  assert.equal(encode([withParameters(["balloon.rss", "wrong"])], raw).text, "");
  assert.match(encode([withParameters(["balloon.rss", 1n])], raw).text, / rss_=1i /);
});

test("names that become one, that are empty or that begin with an underscore have a rule", () => {
  const { text, counters } = encode(
    [
      withParameters(
        ["vm.a.b", 1n],
        ["vm.a-b", 2n],
        ["vm.__x", 3n],
        ["vm.é", 4n],
        ["vm._", 5n],
        ["vm", 6n],
        ["a.b", 7n],
      ),
    ],
    options(),
  );
  assert.match(text, /,group=Vm a_b=1i,x=3i \d+\n$/);
  assert.equal(counters.omittedParameters, 3);
});

test("a name that another VM has invented takes no field from a VM, and no value of it", () => {
  const raw = options();
  const samples = [
    withParameters(["block.0.rd-times", 1n], ["vm.new", 2n]),
    withParameters(["block.0.rd.times", 3n]),
    withParameters(["vm.new", 4n]),
  ];
  const { text, counters } = encode(samples, raw);
  assert.deepEqual(
    text
      .trimEnd()
      .split("\n")
      .map((line) => line.split(" ")[1]),
    ["rd_times=1i", "new=2i", "rd_times=3i", "new=4i"],
  );
  assert.equal(counters.omittedParameters, 0);
});

test("a line has 512 fields and a VM 4,096 parameters at most, and the others are counted", () => {
  const many = Array.from({ length: 600 }, (_, index) => [`vm.p${index}_cur`, 1n] as const);
  const wide = encode([withParameters(...many)], options());
  assert.deepEqual([wide.lines, wide.counters.omittedParameters], [1, 88]);
  const more = Array.from({ length: 5_000 }, (_, index) => [`block.${index}.p`, 1n] as const);
  const long = encode([withParameters(...more)], options());
  assert.deepEqual([long.lines, long.counters.omittedParameters], [4_096, 904]);
});

test("a part of a VM has one line, whatever names were there before", () => {
  const named = (name: string, count: number) =>
    withParameters(...Array.from({ length: count }, (_, index) => [`${name}${index}_cur`, 1n] as const));
  const { text, counters } = encode([named("vm.other", 16_000), named("block.0.p", 600)], options());
  assert.equal(text.match(/,group=Block,/g)?.length, 1);
  assert.equal(counters.omittedParameters, 16_000 - 512 + 600 - 512);
});

test("names that a launcher invents take no place of others, and the types of known fields stay", () => {
  const raw = options({ types: new RawTypes() });
  const vm = (uuid: string, entries: readonly (readonly [string, TypedValue])[]) =>
    encode([{ ...withParameters(...entries), identity: { id: 1, uuid, name: uuid } }], raw);
  for (let round = 0; round < 6; round++)
    vm(
      "a",
      Array.from({ length: 4_000 }, (_, index) => [`block.${index}.n${round}x${index}`, 1n] as const),
    );
  assert.equal(vm("a", [["vm.unseen", 1n]]).counters.omittedParameters, 1);
  assert.match(vm("b", [["vm.unseen", 1n]]).text, / unseen=1i /);
  assert.match(vm("a", [["block.0.rd.times", 1n]]).text, /rd_times=1i/);
  assert.equal(vm("b", [["block.0.rd.times", "x"]]).text, "");
});

test("the groups are requested in the bulk call only while the family is on", () => {
  const requested = (families: readonly Family[], groups: Parameters<typeof needsOf>[1]): number =>
    needsOf(families, groups).reduce((mask, need) => mask | need.groups, 0);
  assert.equal(requested(["Raw"], ["Perf", "Vm"]), STATS_GROUP.PERF | STATS_GROUP.VM);
  assert.equal(requested(["Metrics"], ["Perf", "Vm"]), 0);
  assert.equal(requested(["Raw"], []), 0);
});

test("the family makes no call for a VM", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: 1, settings: { needs: needsOf(["Raw"], ["Block"]) } });
  await endpoint.sample();
  endpoint.host.calls.clear();
  await endpoint.sample();
  assert.deepEqual(
    [...endpoint.host.calls.keys()].filter((call) => call !== PROCEDURE.DOMAIN_GET_CPU_STATS).sort((a, b) => a - b),
    [PROCEDURE.DOMAIN_GET_INFO, PROCEDURE.CONNECT_LIST_ALL_DOMAINS, PROCEDURE.CONNECT_GET_ALL_DOMAIN_STATS],
  );
});
