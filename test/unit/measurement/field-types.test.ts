import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseLines } from "../../../scripts/demo/line-protocol-parser.ts";
import type { BasicInfo } from "../../../src/collection/libvirt/basic-info.ts";
import {
  cpuSample,
  deviceSamples,
  domainReport,
  domainState,
  memorySample,
} from "../../../src/collection/libvirt/sample-mapping.ts";
import { readersOf } from "../../../src/collection/libvirt/stats-readers.ts";
import { STATUS } from "../../../src/collection/libvirt/status.ts";
import type { DomainFacts } from "../../../src/discovery/domain-facts.ts";
import type { DomainSample } from "../../../src/collection/domain-sample.ts";
import { brokenRules } from "../../../src/config/rules.ts";
import {
  FAMILY_NAMES,
  FAMILY_TAGS,
  MEASUREMENT_FIELDS,
  RAW_GROUP_NAMES,
  TAGS,
  type Family,
  type RawGroup,
} from "../../../src/contract.ts";
import { STATS_GROUP } from "../../../src/libvirt/protocol.ts";
import { needsOf } from "../../../src/measurement/registry.ts";
import { RawTypes } from "../../../src/measurement/raw-types.ts";
import { Double, type TypedValue } from "../../../src/libvirt/types.ts";
import { LEAST_SPEC } from "../../support/config.ts";
import { encode } from "../../support/encode.ts";
import { typeOf } from "../../support/golden-lines.ts";

const ALL_GROUPS = Object.values(STATS_GROUP).reduce((mask, group) => mask | group, 0);
const FIELD_NAMES = Object.values(MEASUREMENT_FIELDS).flatMap((fields) => Object.keys(fields));
const PARAMETERS = [
  ...["state.state", "state.reason", "cpu.time", "cpu.user", "cpu.haltpoll.success.time", "cpu.haltpoll.fail.time"],
  ...["current", "maximum", "rss", "available", "usable", "unused", "last-update", "hugetlb_pgalloc"].map(
    (name) => `balloon.${name}`,
  ),
  ...["rx.bytes", "tx.drop"].map((name) => `net.0.${name}`),
  ...["rd.reqs", "rd.times", "wr.reqs", "wr.times", "fl.reqs", "fl.times", "capacity", "allocation"].map(
    (name) => `block.0.${name}`,
  ),
  ...["wait", "delay"].map((name) => `vcpu.0.${name}`),
  // Only vm_raw has these. Some of their fields have the name of a tag, or of each other.
  ...[
    "block.0.new-number",
    "block.0.new.number",
    "block.0.device",
    "block.0.site",
    "vcpu.1.time",
    "vm.node",
    "net.0.name",
  ],
];

const count = fc.oneof(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), fc.bigInt({ min: 0n, max: 9n }));
const anyValue: fc.Arbitrary<TypedValue> = fc.oneof(
  { weight: 4, arbitrary: count },
  {
    weight: 1,
    arbitrary: fc.oneof(
      fc.integer(),
      fc.double().map((value) => new Double(value)),
      fc.boolean(),
      fc.string(),
    ),
  },
);
const anyParameters = fc.array(fc.tuple(fc.constantFrom(...PARAMETERS), anyValue), { maxLength: 40 });
const anyInfo = fc.record({
  state: fc.nat(9),
  maxMemoryKiB: count,
  memoryKiB: count,
  vcpus: fc.nat(4),
  cpuTimeNs: count,
});
const anyTags = fc.dictionary(
  fc.constantFrom("site", "rack", ...TAGS, ...FAMILY_TAGS, ...FIELD_NAMES),
  fc.constant("x"),
  {
    maxKeys: 2,
  },
);

const VM_FACTS = {
  ...{ uid: "u", pod: "p", instanceType: "t", preference: "p", guestOs: "g", cpuRequestMilli: 1, cpuLimitMilli: 2 },
  ...{ memoryRequestKib: 3, memoryLimitKib: 4, isMigratable: true, isLauncherOutdated: false, isAgentConnected: true },
  addresses: { default: "10.0.0.1" },
};

/** Returns the facts of a domain whose XML has these texts. */
function factsOf([one, other]: readonly string[]): DomainFacts {
  const disk = { device: "vda", alias: "rootdisk", kind: "disk", bus: one, cache: other, discard: one, format: other };
  const nic = { device: "tap0", alias: "default", kind: one, mac: other, model: one, source: other, link: "up" };
  return {
    ...{ arch: one, machine: other, cpuModel: one, firmware: other, pinnedVcpus: one, affinity: other },
    disks: [{ ...disk, serial: one, iopsLimit: 5, bytesLimit: 6 }],
    nics: [{ ...nic, mtu: 1500 }],
  };
}

/** Returns the sample of a domain with one NIC, one disk and one vCPU, for what libvirt may answer. */
function sampleOf(
  parameters: readonly (readonly [string, TypedValue])[],
  info: BasicInfo["info"],
  before: DomainSample | undefined,
  { families, groups, texts }: { families: readonly Family[]; groups: readonly RawGroup[]; texts: readonly string[] },
): DomainSample {
  const names = [
    ["net.count", 1],
    ["net.0.name", "tap0"],
    ["block.count", 1],
    ["block.0.name", "vda"],
  ] as const;
  const basic = {
    domain: { name: "web", uuid: "u", id: 1 },
    info,
    readMs: (before?.memory.monotonicMs ?? 0) + 5_000,
    cpu: undefined,
  };
  const report = domainReport(new Map<string, TypedValue>([...parameters, ...names]), ALL_GROUPS);
  const layout = {
    nics: [{ device: "tap0" }],
    disks: [{ device: "vda", alias: "rootdisk" }],
    otherBlocks: new Set<string>(),
    maxVcpus: 4,
    facts: factsOf(texts),
  };
  const { nics, disks } = deviceSamples(layout, report);
  const sample = {
    timestampMs: 1_700_000_000_000,
    identity: { id: 1, uuid: "u", name: "web" },
    state: domainState(basic, report.params).state,
    cpu: cpuSample(basic, report.params),
    memory: memorySample(basic, report.params),
    nics,
    disks,
    previous: undefined,
  };
  const [phase] = texts;
  const vm = { name: "web", claims: { rootdisk: "web-root" }, facts: { ...VM_FACTS, phase } };
  const answerOf = (reader: object): unknown =>
    reader === STATUS
      ? { state: info.vcpus, details: 0, stateTimeMs: 7 }
      : [{ number: 0, state: 1, cpuTimeNs: info.cpuTimeNs, cpu: -1 }];
  const readings = readersOf(needsOf(families, groups)).map((reader) => {
    const about = { info: basic, sample, report, kept: report.params, layout, vm };
    const input = { ...about, startedS: 1_600_000_000, answer: answerOf(reader) };
    return [reader, reader.read(input, before?.readings?.get(reader))] as const;
  });
  return { ...sample, readings: new Map<object, unknown>(readings) };
}

test("no configuration and no answer of libvirt gives a field another type, or a tag the name of a field", () => {
  // An agent has one table of types in its life, and one database.
  const rawTypes = new RawTypes();
  const types = new Map<string, string>();
  fc.assert(
    fc.property(
      fc.record({
        families: fc.subarray([...FAMILY_NAMES], { minLength: 1 }),
        groups: fc.subarray([...RAW_GROUP_NAMES]),
        onMissing: fc.constantFrom("Zero" as const, "Omit" as const),
        measurementPrefix: fc.constantFrom("", "kv_"),
        tags: anyTags,
        texts: fc.array(fc.string({ unit: "binary" }), { minLength: 2, maxLength: 2 }),
      }),
      fc.tuple(anyParameters, anyInfo, anyParameters, anyInfo),
      ({ families, groups, onMissing, measurementPrefix, tags, texts }, [first, firstInfo, second, secondInfo]) => {
        const spec = {
          ...LEAST_SPEC,
          collection: { interval: "5s", families, onMissing },
          tags: { static: tags, vmLabels: [], vmAnnotations: [] },
        };
        const accepted = !brokenRules(spec).some(({ path }) => path.includes("tags"));
        const before = sampleOf(first, firstInfo, undefined, { families, groups, texts });
        const after = sampleOf(second, secondInfo, before, { families, groups, texts });
        const staticTags = accepted ? tags : {};
        const raw = { groups, families, tags: [...TAGS, ...Object.keys(staticTags)], types: rawTypes };
        const { text } = encode([before, after], { families, onMissing, measurementPrefix, staticTags, raw });
        for (const { measurement, fields, tags: written } of text === "" ? [] : parseLines(text)) {
          const table = measurement.slice(measurementPrefix.length);
          for (const [field, value] of fields) {
            const type = types.get(`${table}.${field}`) ?? typeOf(value);
            types.set(`${table}.${field}`, type);
            assert.equal(
              typeOf(value),
              table === "vm_raw" ? type : MEASUREMENT_FIELDS[table]?.[field],
              `${table}.${field}`,
            );
            assert.ok(!written.has(field), `${measurement}: the tag ${field}`);
          }
          for (const tag of written.keys())
            assert.ok(!(tag in (MEASUREMENT_FIELDS[table] ?? {})), `${table}: the tag ${tag}`);
        }
      },
    ),
    { numRuns: 500 },
  );
  // The inputs reach nearly every field of a VM.
  assert.ok(types.size > 130, String(types.size));
});
