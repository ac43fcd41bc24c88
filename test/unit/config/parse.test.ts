import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { stringify } from "yaml";
import { parseConfig, type Fault } from "../../../src/config/parse.ts";
import { SPEC_RULES, TARGET_RULES } from "../../../src/config/rules.ts";
import { API_VERSION, KIND } from "../../../src/config/schema.ts";
import { codePoint } from "../../support/code-point.ts";
import {
  CLUSTER_SPEC,
  FULL_SPEC,
  LEAST_SPEC,
  changed,
  configObject,
  configText,
  pathsIn,
} from "../../support/config.ts";
import { RULE_BREAKERS } from "../../support/rule-breakers.ts";

/** `line: path: message` of every fault. */
function faultsOf(text: string): string[] {
  return (parseConfig(text).faults ?? []).map(({ line, path, message }) => `${line}: ${path}: ${message}`);
}

function file(spec: string): string {
  return `apiVersion: kubevirt-telemetry.io/v1alpha1
kind: TelemetryConfig
metadata:
  name: test
spec:
${spec}`;
}

const TARGET = "{ name: a, url: https://a.example.com, v2: { org: o, bucket: b } }";

for (const example of globSync("docs/examples/*.yaml")) {
  test(`${example} has no faults`, () => {
    assert.deepEqual(faultsOf(readFileSync(example, "utf8")), []);
  });
}

test("there are examples", () => {
  assert.ok(globSync("docs/examples/*.yaml").length >= 3);
});

const FILES: readonly (readonly [what: string, text: string, expected: readonly string[]])[] = [
  [
    "an unknown field with a suggestion, at its line",
    file(`  collection:\n    onMissing: Zero\n    intervall: 5s\n  targets: [${TARGET}]\n`),
    ["8: spec.collection.intervall: is not a known field; did you mean `interval`?"],
  ],
  [
    "an unknown field at the top",
    `apiVersion: ${API_VERSION}\nkind: ${KIND}\nmetadata: { name: a }\nspecs: {}\nspec: { targets: [${TARGET}] }\n`,
    ["4: specs: is not a known field; did you mean `spec`?"],
  ],
  [
    "an invalid duration",
    file(`  collection:\n    interval: 5 seconds\n  targets: [${TARGET}]\n`),
    [
      "7: spec.collection.interval: must be a duration such as 5s, 500ms or 1h30m: the units are h, m, s and ms, write 5s",
    ],
  ],
  [
    "two targets of one name",
    file(`  targets:\n    - ${TARGET}\n    - ${TARGET}\n`),
    ["8: spec.targets[1].name: must not be given twice"],
  ],
  [
    "plain http without mode: Plaintext",
    file("  targets:\n    - name: a\n      url: http://a.example.com\n      v1: { database: d }\n"),
    [
      "7: spec.targets[0].tls.mode: must be Plaintext for an http URL, because the token would be sent unencrypted: use https, or set `mode: Plaintext`",
    ],
  ],
  [
    "plain http with mode: Verify, at the line of the mode",
    file(
      "  targets:\n    - name: a\n      url: http://a.example.com\n      tls:\n        mode: Verify\n      v1: { database: d }\n",
    ),
    [
      "10: spec.targets[0].tls.mode: must be Plaintext for an http URL, because the token would be sent unencrypted: use https, or set `mode: Plaintext`",
    ],
  ],
  [
    "two protocols in one target",
    file("  targets:\n    - name: a\n      url: https://a\n      v1: { database: d }\n      v3: { database: d }\n"),
    ["7: spec.targets[0]: must have exactly one of v1, v2 and v3"],
  ],
  [
    "no protocol in a target",
    file("  targets:\n    - name: a\n      url: https://a\n"),
    ["7: spec.targets[0]: must have exactly one of v1, v2 and v3"],
  ],
  [
    "invalid targets, each reported once",
    file(
      "  targets:\n    - a\n    - name: b\n      v1: { database: d }\n    - name: c\n      url: 1\n      v1: {database: d}\n",
    ),
    [
      "7: spec.targets[0]: must be an object, is a string",
      "8: spec.targets[1].url: is missing",
      "11: spec.targets[2].url: must be a string, is a number",
    ],
  ],
  [
    "a repeated field",
    file(`  targets: [${TARGET}]\n  priority: 1\n  priority: 2\n`),
    ["8: spec.priority: is given twice"],
  ],
  ["a file with only null", "---\n~\n", ["2: : must be an object, is empty"]],
  ["a list", "- a\n", ["1: : must be an object, is a list"]],
  ["an empty file", "", ["1: : is empty"]],
  ["a file with a comment only", "# nothing\n", ["1: : is empty"]],
  ["two documents", `${file(`  targets: [${TARGET}]\n`)}---\na: 1\n`, ["7: : has 2 documents; one is expected"]],
  [
    "invalid YAML",
    "spec: [\n",
    ["2: : is not YAML: Flow sequence in block collection must be sufficiently indented and end with a ]"],
  ],
  ["a file of 2 MiB", "#".repeat(2 * 1024 * 1024), ["1: : has 2097152 characters, more than 1048576"]],
  ["an empty spec", file("  {}\n"), ["5: spec.targets: is missing"]],
  [
    "another kind and version",
    "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n",
    [
      "1: apiVersion: must be `kubevirt-telemetry.io/v1alpha1`",
      "1: spec: is missing",
      "2: kind: must be `TelemetryConfig`",
    ],
  ],
  [
    "a file with many, in the order of lines",
    file(`  priority: 1001
  state: Paused
  collection: 5s
  deviceCache: { ttl: [] }
  tags:
    static: { node: x, a-b: y, site: "" }
  buffer:
    maxAge: 0s
  targets:
    - name: A
      url: ftp://a.example.com?x
      timeout: 1
      v2: {}
`),
    [
      "6: spec.priority: must be -1000 to 1000, is 1001",
      "7: spec.state: must be `Active` or `Suspended`",
      "8: spec.collection: must be an object, is a string",
      "9: spec.deviceCache.ttl: must be a string, is a list",
      "11: spec.tags.static.a-b: the key must be a tag key: a letter, then letters, digits and underscores, 64 at most",
      "11: spec.tags.static.site: must not be empty",
      "11: spec.tags.static: must not use a tag of the measurements or of InfluxDB: VMID, name, uuid, devtype, device, vcpu, namespace, node, network, volume, time",
      "13: spec.buffer.maxAge: must be from 1m to 168h",
      "15: spec.targets[0].name: must be a DNS label: lower-case letters, digits and dashes",
      "16: spec.targets[0].url: must be an http or https URL that begins with its scheme, such as https://influxdb.example.com:8086",
      "16: spec.targets[0].url: must not have a query or fragment; the agent adds its own",
      "17: spec.targets[0].timeout: must be a duration such as 5s, 500ms or 1h30m: the unit is missing, write 1s",
      "18: spec.targets[0].v2.org: is missing",
      "18: spec.targets[0].v2.bucket: is missing",
    ],
  ],
];

for (const [what, text, expected] of FILES) {
  test(`the faults of ${what}`, () => {
    assert.deepEqual(faultsOf(text), expected);
  });
}

test("a file without a cluster rejects fields that need one, each at its line", () => {
  const text = configText(CLUSTER_SPEC);
  const lines = text.split("\n");
  const { faults = [] } = parseConfig(text);
  assert.deepEqual(
    faults.map(({ path, message }) => `${path}: ${message}`).sort(),
    [
      ...["spec.nodeSelector", "spec.namespaces", "spec.vmSelector", "spec.tags.vmLabels", "spec.tags.vmAnnotations"],
      ...[0, 1, 2].flatMap((index) => [`spec.targets[${index}].vmSelector`, `spec.targets[${index}].namespaces`]),
    ]
      .map((path) => `${path}: needs a cluster; remove it from a standalone configuration`)
      .sort(),
  );
  for (const { path, line } of faults) assert.equal(lines[line - 1]?.trim(), `${path.split(".").at(-1) ?? ""}:`);
  assert.equal(parseConfig(text, { cluster: true }).faults, undefined);
});

test("multiplying aliases are rejected", () => {
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\n${Array.from("bcdefghi", (name, index) => {
    const below = "abcdefgh"[index] ?? "";
    return `${name}: &${name} [${Array(9).fill(`*${below}`).join()}]\n`;
  }).join("")}`;
  const [fault, ...others] = parseConfig(bomb).faults ?? [];
  assert.match(fault?.message ?? "", /uses aliases too often/);
  assert.deepEqual(others, []);
});

test("a few aliases are allowed", () => {
  const text = file(
    "  targets:\n    - &one { name: a, url: https://a, v1: &db { database: d } }\n    - { name: b, url: https://b, v1: *db }\n",
  );
  assert.equal(parseConfig(text).config?.spec.targets[1]?.v1?.database, "d");
});

test("every broken rule is one fault with its own message", () => {
  const seen = new Set<string>();
  for (const spec of RULE_BREAKERS) {
    const { faults = [] } = parseConfig(configText(spec), { cluster: true });
    assert.equal(faults.length, 1, JSON.stringify([spec, faults]));
    seen.add(`${faults[0]?.path ?? ""}: ${faults[0]?.message ?? ""}`);
  }
  const path = (at: string, parts: readonly (string | number)[]): string => [at, ...parts].join(".");
  for (const { path: parts, message, bySchema } of SPEC_RULES)
    if (bySchema !== true) assert.ok(seen.has(`${path("spec", parts)}: ${message}`), message);
  for (const { path: parts, message } of TARGET_RULES)
    assert.ok(seen.has(`${path("spec.targets[0]", parts)}: ${message}`), message);
  assert.equal(seen.size, SPEC_RULES.length + TARGET_RULES.length);
});

function assertSound(text: string): void {
  const { config, faults } = parseConfig(text);
  assert.equal(config === undefined, faults !== undefined);
  const lines = text.split("\n").length;
  for (const { line, path, message } of faults ?? []) {
    assert.ok(Number.isInteger(line) && line >= 1 && line <= lines, `line ${line} of ${lines}`);
    assert.doesNotMatch(`${path}: ${message}`, /[\0-\x1f\x7f]/);
  }
  assert.notEqual(faults?.length, 0);
}

const PIECES =
  `a: |b: |- |: |? |[|]|{|}|,|"|'|#|&a |*a|!!set |!x |%YAML 1.1\\n|---\\n|...\\n|<<: |~|1|spec:|targets:|x`.split("|");

test("any text is a configuration or has faults, each on a line of the text", () => {
  const piece = fc.oneof(fc.constantFrom(...PIECES, "\n", "\n  ", "|\n", "\t", "\r\n", "\u2028", "\\x\u001b"));
  const yamlLike = fc.array(piece, { maxLength: 40 }).map((pieces) => pieces.join(""));
  fc.assert(fc.property(fc.oneof(yamlLike, fc.string({ unit: codePoint, maxLength: 200 })), assertSound), {
    numRuns: 2_000,
  });
});

const anyPath = fc.constantFrom(...[[], ...pathsIn(configObject(CLUSTER_SPEC))]);
const anyValue = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom("", "5s", "x".repeat(300), "a\nb", -1, 1e300, 1.5, [], {}, null, undefined),
);
const anyChange = fc.oneof(
  fc.record({ path: anyPath, to: anyValue }),
  fc.record({
    path: fc.tuple(anyPath, fc.string({ unit: codePoint, maxLength: 5 })).map(([path, key]) => [...path, key]),
    to: anyValue,
  }),
);

test("a changed configuration is valid or has faults, each on a line of the text", () => {
  fc.assert(
    fc.property(fc.array(anyChange, { minLength: 1, maxLength: 4 }), (changes) => {
      let object: unknown = configObject(FULL_SPEC);
      for (const { path, to } of changes) object = changed(object, path, to);
      assertSound(stringify(object ?? null));
    }),
    { numRuns: 500 },
  );
});

test("a damaged part of a configuration is valid or has faults", () => {
  const text = configText(FULL_SPEC);
  const cut = fc.record({ at: fc.nat(text.length), length: fc.nat(30), by: fc.constantFrom(...PIECES, "\n", " ", "") });
  fc.assert(
    fc.property(cut, ({ at, length, by }) => {
      assertSound(text.slice(0, at) + by + text.slice(at + length));
    }),
    { numRuns: 300 },
  );
});

test("a written configuration parses to the same value", () => {
  for (const spec of [LEAST_SPEC, FULL_SPEC]) {
    const { config } = parseConfig(configText(spec));
    assert.ok(config);
    assert.deepEqual(parseConfig(configText(config.spec)).config, config);
  }
});

test("no fault repeats the text of a value", () => {
  const object = configObject(CLUSTER_SPEC);
  const values = ["s3cret value", "https://user:s3cret@a.example.com", "http:s3cret@a", "S3CRET".repeat(500)];
  const shown = (faults: readonly Fault[] = []): boolean => /s3cret/i.test(JSON.stringify(faults));
  for (const path of pathsIn(object))
    for (const value of values)
      assert.equal(shown(parseConfig(stringify(changed(object, path, value))).faults), false, path.join("."));
});
