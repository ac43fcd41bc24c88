import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Double, type TypedValue } from "../../src/libvirt/types.ts";
import { SyntheticDomain } from "../../src/simulator/synthetic-domain.ts";
import { codePoint } from "../support/code-point.ts";
import { encode, points } from "../support/encode.ts";
import { SimulatedEndpoint } from "../support/simulated-endpoint.ts";

const INT64_MAX = 2n ** 63n - 1n;
const SHAPE = { nics: 2, disks: 3, seed: 7 };

for (const [what, name, stored] of [
  ["spaces, commas and equals signs", "a b,c=d", "a b,c=d"],
  ["quotes", `it's "me"`, `it's "me"`],
  ["backslashes, some of them before an escaped character", "a\\b\\,c\\ d", "a\\b,c d"],
  ["a backslash at the end", "C:\\", "C:"],
  ["nothing but backslashes", "\\\\\\", undefined],
  ["line breaks and tabs", "a\nb\r\nc\td", "a b  c d"],
  ["characters that XML escapes", "<a> & b", "<a> & b"],
  ["other scripts and emoji", "機械-😀-é", "機械-😀-é"],
  ["65,536 characters", "x".repeat(65_536), "x".repeat(256)],
  ["65,536 commas", ",".repeat(65_536), ",".repeat(256)],
] as const) {
  test(`a name with ${what} becomes lines that InfluxDB accepts`, async (t) => {
    const endpoint = await SimulatedEndpoint.start(t, { domains: 1 });
    endpoint.host.domains.clear();
    endpoint.host.addDomain(new SyntheticDomain(1, SHAPE, { name }));
    await endpoint.samples();
    const { counters, text } = encode([await endpoint.sample(name)]);
    const lines = points([await endpoint.sample(name)]);
    assert.deepEqual(
      lines.map(({ measurement }) => measurement),
      ["vm_metrics", "vm_features", ...Array<string>(5).fill("vm_devices"), "vm_totals"],
    );
    for (const { tags } of lines) assert.equal(tags.get("name"), stored);
    assert.equal(counters.sanitizedTags, stored === name ? 0 : 1);
    assert.ok(text.endsWith("\n"));
  });
}

for (const [sent, stored] of [
  [2n ** 53n + 1n, 2n ** 53n + 1n],
  [INT64_MAX, INT64_MAX],
  [2n ** 63n, INT64_MAX],
  [2n ** 64n - 1n, INT64_MAX],
] as const) {
  test(`a counter of ${sent} is stored as ${stored}, in the device and in the total`, async (t) => {
    const endpoint = await SimulatedEndpoint.start(t, { domains: 1, shape: { nics: 1, disks: 1, seed: 1 } });
    endpoint.host.adjustStats = (_name, params) => {
      params.set("net.0.rx.bytes", sent).set("block.0.rd.bytes", sent).set("balloon.usable", sent);
    };
    const sample = await endpoint.sample();
    const fields = new Map(points([sample]).flatMap(({ fields }) => [...fields]));
    for (const field of ["rxbytes", "rd_bytes", "net_rxbytes", "disk_rd_bytes", "memusable"])
      assert.equal(fields.get(field), stored, field);
    assert.equal(encode([sample]).counters.clampedIntegers, sent > INT64_MAX ? 5 : 0);
  });
}

test("-1, which older libvirt sends for an unknown value, is never stored", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: 1 });
  endpoint.host.adjustStats = (_name, params) => {
    for (const field of ["block.0.errors", "block.1.rd.reqs", "net.0.rx.drop", "balloon.rss"]) params.set(field, -1n);
  };
  const sample = await endpoint.sample();
  assert.equal(sample.disks?.[0]?.errors, 0n);
  assert.equal(sample.disks[1]?.readRequests, undefined);
  assert.doesNotMatch(encode([sample]).text, /=-1i/);
  assert.deepEqual(encode([sample]).missing, ["vm_devices.rxdrops", "vm_devices.rd_req", "vm_totals.memrss"]);
});

test("a parameter with a wrong type is an undefined value", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: 1 });
  const wrong: readonly TypedValue[] = [
    "12",
    true,
    ...[1.5, Number.NaN, Number.POSITIVE_INFINITY].map((value) => new Double(value)),
  ];
  for (const value of wrong) {
    endpoint.host.adjustStats = (_name, params) => {
      for (const field of ["net.0.rx.bytes", "block.0.wr.bytes", "balloon.usable"]) params.set(field, value);
    };
    const { nics, disks, memory } = await endpoint.sample();
    assert.deepEqual([nics?.[0]?.rxBytes, disks?.[0]?.writeBytes, memory.usable], [undefined, undefined, undefined]);
    assert.equal(nics?.length, 2);
  }
  endpoint.host.adjustStats = (_name, params) => {
    params
      .set("net.count", "many")
      .set("block.count", 2 ** 31)
      .set("block.0.name", 7);
  };
  const { nics, disks } = await endpoint.sample();
  assert.equal(nics?.[0]?.rxBytes, undefined);
  assert.equal(disks?.[0]?.readBytes, undefined);
  assert.ok(disks?.[1]?.readBytes !== undefined);
});

const FIELDS = [
  ...["count", "0.name", "1.name", "0.rx.bytes", "1.tx.drop", "4000000000.name"].map((field) => `net.${field}`),
  ...["count", "0.name", "1.name", "0.rd.reqs", "2.wr.bytes", "0.errors"].map((field) => `block.${field}`),
  ...["current", "maximum", "rss", "usable", "swap_in"].map((field) => `balloon.${field}`),
  ...["time", "user", "system"].map((field) => `cpu.${field}`),
];

const anyValue: fc.Arbitrary<TypedValue> = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  fc.integer(),
  fc.double().map((value) => new Double(value)),
  fc.boolean(),
  fc.string({ unit: codePoint }),
);

const anyParameters = fc.array(
  fc.tuple(fc.oneof(fc.constantFrom(...FIELDS), fc.string({ maxLength: 20, unit: codePoint })), anyValue),
  { maxLength: 40 },
);

const anyText = fc.oneof(
  fc.string({ unit: codePoint }),
  fc.string({ unit: "grapheme" }),
  fc.constantFrom("\\", "\n", " "),
);

test("InfluxDB accepts every line and no domain is lost, for any parameters, names and tags", async (t) => {
  const endpoint = await SimulatedEndpoint.start(t, { domains: 2 });
  await fc.assert(
    fc.asyncProperty(
      anyParameters,
      fc.boolean(),
      anyText,
      fc.dictionary(fc.stringMatching(/^s[A-Za-z0-9_]{0,63}$/), anyText, { maxKeys: 16 }),
      fc.constantFrom("Zero" as const, "Omit" as const),
      async (parameters, instead, text, staticTags, onMissing) => {
        endpoint.host.adjustStats = (_name, params) => {
          if (instead) params.clear();
          for (const [field, value] of parameters) params.set(field, value);
        };
        const { outcome, samples } = await endpoint.cycle();
        assert.equal(outcome, "collected");
        assert.equal(samples.length, 2);
        const named = samples.map((sample) => ({
          ...sample,
          identity: { ...sample.identity, name: text, namespace: text },
          nics: sample.nics?.map((nic) => ({ ...nic, network: text })),
        }));
        const lines = points(named, { onMissing, staticTags, node: text });
        assert.ok(lines.length >= 2);
      },
    ),
    { numRuns: 150 },
  );
});
