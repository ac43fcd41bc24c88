import assert from "node:assert/strict";
import { test } from "node:test";
import { formatPath, type Path } from "../../../src/config/check.ts";
import { parseConfig } from "../../../src/config/parse.ts";
import { CLUSTER_SPEC, FULL_SPEC, LEAST_SPEC, changed, configText } from "../../support/config.ts";

function faultsOf(spec: unknown): string[] {
  const { faults = [] } = parseConfig(configText(spec), { cluster: true });
  return faults.map(({ path, message }) => `${path}: ${message}`);
}

/** Returns a full spec with one changed value. */
function fullWith(path: Path, value: unknown): unknown {
  return changed(CLUSTER_SPEC, path, value);
}

const TARGET_DEFAULTS = {
  headers: [],
  flush: { interval: "1s", maxLines: 5_000, maxKiB: 2_048 },
  timeout: "10s",
  gzip: true,
  maxDrainLinesPerSecond: 0,
};

test("a missing field gets its documented default", () => {
  const url = "https://influx.example.com";
  const { config } = parseConfig(
    configText({
      targets: [
        {
          name: "one",
          url,
          v1: { database: "d", credentialsSecretRef: { name: "s" } },
          tls: { caRef: { configMap: { name: "ca" } } },
        },
        {
          name: "two",
          url,
          v2: { org: "o", bucket: "b", tokenSecretRef: { name: "s" } },
          tls: { caRef: { secret: { name: "ca" } } },
        },
        { name: "three", url, v3: { database: "d" } },
      ],
    }),
  );
  assert.deepEqual(config?.spec, {
    priority: 0,
    state: "Active",
    collection: {
      interval: "5s",
      families: ["Metrics", "Features", "Devices", "Totals"],
      onMissing: "Zero",
      freshness: "EveryCycle",
      maxConcurrentEndpoints: 16,
    },
    deviceCache: { ttl: "5m" },
    tags: { static: {}, vmLabels: [], vmAnnotations: [] },
    measurementPrefix: "",
    buffer: { maxMiB: 512, maxAge: "24h" },
    targets: [
      {
        name: "one",
        url,
        v1: { database: "d", credentialsSecretRef: { name: "s", usernameKey: "username", passwordKey: "password" } },
        tls: { mode: "Verify", caRef: { configMap: { name: "ca", key: "ca.crt" } } },
        ...TARGET_DEFAULTS,
      },
      {
        name: "two",
        url,
        v2: { org: "o", bucket: "b", tokenSecretRef: { name: "s", key: "token" } },
        tls: { mode: "Verify", caRef: { secret: { name: "ca", key: "ca.crt" } } },
        ...TARGET_DEFAULTS,
      },
      { name: "three", url, v3: { database: "d", api: "Native" }, tls: { mode: "Verify" }, ...TARGET_DEFAULTS },
    ],
  });
});

test("a given field keeps its value", () => {
  assert.deepEqual(faultsOf(CLUSTER_SPEC), []);
  const { config } = parseConfig(configText(FULL_SPEC));
  const [one] = config?.spec.targets ?? [];
  assert.deepEqual(one, FULL_SPEC.targets[0]);
  assert.deepEqual(config?.spec.collection, FULL_SPEC.collection);
});

const list = (count: number, item: (index: number) => unknown): unknown[] =>
  Array.from({ length: count }, (_, index) => item(index));
const map = (count: number): object =>
  Object.fromEntries(list(count, (index) => [`k${index}`, "v"]) as [string, string][]);
const targets = (count: number): unknown[] => list(count, (index) => ({ ...LEAST_SPEC.targets[0], name: `t${index}` }));
const text = (length: number): string => "x".repeat(length);
const TARGET = ["targets", 0] as const;
const URL_PREFIX = "https://x.example.com/";

/** The largest and smallest valid values, and the next invalid ones. */
const BOUNDS: readonly (readonly [path: Path, accepted: readonly unknown[], rejected: readonly unknown[]])[] = [
  [["priority"], [-1000, 1000], [-1001, 1001]],
  [["state"], ["Active", "Suspended"], ["active", "", "Paused"]],
  [["nodeSelector", "matchLabels"], [map(16)], [map(17)]],
  [
    ["vmSelector", "matchExpressions"],
    [[], list(16, () => ({ key: "a", operator: "Exists" }))],
    [list(17, () => ({ key: "a", operator: "Exists" }))],
  ],
  [
    ["namespaces", "include"],
    [[], list(64, (index) => `n${index}`), ["*", "a-*"]],
    [list(65, (index) => `n${index}`), ["*a"], ["A"], ["a", "a"]],
  ],
  [["namespaces", "exclude"], [list(64, (index) => `n${index}`)], [list(65, (index) => `n${index}`)]],
  [
    ["collection", "interval"],
    ["5s", "1h"],
    ["999ms", "1h1ms", "5", "1d", "-1s", ""],
  ],
  [
    ["collection", "timeout"],
    ["1ms", "9s999ms"],
    ["0s", "10s"],
  ],
  [
    ["collection", "families"],
    [["Metrics", "Features", "Devices", "Totals"]],
    [[], ["Nothing"], ["Totals", "Totals"], ["totals"]],
  ],
  [
    ["collection", "onMissing"],
    ["Zero", "Omit"],
    ["zero", "Null"],
  ],
  [
    ["collection", "freshness"],
    ["EveryCycle", "GuestPeriod"],
    ["everyCycle", "10s"],
  ],
  [
    ["collection", "maxConcurrentEndpoints"],
    [1, 256],
    [0, 257],
  ],
  [
    ["deviceCache", "ttl"],
    ["1s", "24h"],
    ["999ms", "24h1ms"],
  ],
  [["tags", "static"], [{}, map(16)], [map(17)]],
  [
    ["tags", "static", "site"],
    ["x", text(256)],
    ["", text(257)],
  ],
  [
    ["tags", "static"],
    [{ [text(64)]: "v" }, { a_: "v" }],
    [{ [text(65)]: "v" }, { "1a": "v" }, { "a-b": "v" }, { VMID: "v" }, { volume: "v" }, { _a: "v" }],
  ],
  [
    ["tags", "vmLabels"],
    [[], list(16, (index) => ({ key: `k${index}` }))],
    [
      list(17, (index) => ({ key: `k${index}` })),
      [
        { key: "a", tag: "b" },
        { key: "a", tag: "c" },
      ],
    ],
  ],
  [
    ["tags", "vmAnnotations"],
    [list(16, (index) => ({ key: `k${index}` }))],
    [list(17, (index) => ({ key: `k${index}` }))],
  ],
  [["measurementPrefix"], ["", text(32), "lab.x/y:z-_"], [text(33), "#", "_a", "1a", "a b", "a\nb", "a\\"]],
  [
    ["buffer", "maxMiB"],
    [16, 65_536],
    [15, 65_537],
  ],
  [
    ["buffer", "maxAge"],
    ["1m", "168h"],
    ["59s999ms", "168h1ms"],
  ],
  [["targets"], [targets(1), targets(8)], [[], targets(9), [...targets(1), ...targets(1)]]],
  [
    [...TARGET, "name"],
    ["a", text(63), "a-1"],
    ["", text(64), "A", "a.b", "-a"],
  ],
  [
    [...TARGET, "url"],
    [URL_PREFIX + text(2048 - URL_PREFIX.length)],
    [URL_PREFIX + text(2049 - URL_PREFIX.length), ""],
  ],
  [
    [...TARGET, "tls", "mode"],
    ["Verify", "Insecure"],
    ["Plaintext", "verify"],
  ],
  [
    [...TARGET, "flush", "interval"],
    ["100ms", "5m"],
    ["99ms", "5m1ms"],
  ],
  [
    [...TARGET, "flush", "maxLines"],
    [1, 100_000],
    [0, 100_001],
  ],
  [
    [...TARGET, "flush", "maxKiB"],
    [16, 65_536],
    [15, 65_537],
  ],
  [
    [...TARGET, "timeout"],
    ["1s", "5m"],
    ["999ms", "5m1ms"],
  ],
  [
    [...TARGET, "gzip"],
    [true, false],
    ["false", 0],
  ],
  [
    [...TARGET, "maxDrainLinesPerSecond"],
    [0, 10_000_000],
    [-1, 10_000_001],
  ],
  [
    [...TARGET, "families"],
    [["Totals"], ["Totals", "Metrics"]],
    [[], ["Totals", "Totals"]],
  ],
];

for (const [path, accepted, rejected] of BOUNDS) {
  test(`spec.${formatPath(path)} is valid within its bounds and rejected outside`, () => {
    for (const value of accepted) assert.deepEqual(faultsOf(fullWith(path, value)), [], JSON.stringify(value));
    for (const value of rejected) {
      const faults = faultsOf(fullWith(path, value));
      assert.ok(
        faults.some((fault) => fault.startsWith(`spec.${formatPath(path)}`)),
        JSON.stringify({ value, faults }),
      );
    }
  });
}
