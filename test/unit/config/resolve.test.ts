import assert from "node:assert/strict";
import { inspect } from "node:util";
import { test } from "node:test";
import { parseConfig } from "../../../src/config/parse.ts";
import { fingerprint, resolveConfig, type EffectiveConfig } from "../../../src/config/resolve.ts";
import { Secret } from "../../../src/config/secret.ts";
import { TargetAccessReader } from "../../../src/config/target-access.ts";
import type { SecretSource } from "../../../src/config/secrets-dir.ts";
import { TelemetryError } from "../../../src/errors.ts";
import { CLUSTER_SPEC, FULL_SPEC, LEAST_SPEC, changed, configText } from "../../support/config.ts";

/** Returns a source that has every key, and whose values name their key. */
function echoSource(): SecretSource & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    read(kind, name, key) {
      asked.push(`${kind} ${name} ${key}`);
      return Promise.resolve(`<${kind}.${name}.${key}>`);
    },
  };
}

async function resolved(spec: unknown, secrets: SecretSource = echoSource()): Promise<EffectiveConfig> {
  const { config, faults } = parseConfig(configText(spec), { cluster: true });
  assert.ok(config, JSON.stringify(faults));
  return resolveConfig(config, new TargetAccessReader(secrets));
}

const EVERYTHING = { namespaces: {}, vmSelector: {} };

test("defaults are resolved to the agent's units", async () => {
  assert.deepEqual(await resolved(LEAST_SPEC), {
    state: "Active",
    intervalMs: 5_000,
    timeoutMs: 4_000,
    families: ["Metrics", "Features", "Devices", "Totals"],
    onMissing: "Zero",
    freshness: "EveryCycle",
    maxConcurrentEndpoints: 16,
    deviceCacheTtlMs: 300_000,
    vms: EVERYTHING,
    staticTags: {},
    vmLabels: [],
    vmAnnotations: [],
    measurementPrefix: "",
    buffer: { maxBytes: 512 * 1024 * 1024, maxAgeMs: 86_400_000 },
    targets: [
      {
        name: "central",
        url: "https://influx.example.com",
        protocol: { version: "v2", org: "o", bucket: "b" },
        credentials: { kind: "none" },
        tls: { mode: "Verify" },
        headers: [],
        flush: { intervalMs: 1_000, maxLines: 5_000, maxBytes: 2 * 1024 * 1024 },
        timeoutMs: 10_000,
        gzip: true,
        maxDrainLinesPerSecond: 0,
        families: ["Metrics", "Features", "Devices", "Totals"],
        vms: EVERYTHING,
      },
    ],
  });
});

test("the groups of Raw count only with the family Raw", async () => {
  const groupsWith = async (family: string): Promise<unknown> =>
    (await resolved({ ...LEAST_SPEC, collection: { families: [family], raw: { groups: ["Vm"] } } })).rawGroups;
  assert.deepEqual([await groupsWith("Metrics"), await groupsWith("Raw")], [undefined, ["Vm"]]);
});

test("every field is resolved", async () => {
  const { targets, ...rest } = await resolved(CLUSTER_SPEC);
  const { vmSelector, namespaces, tags } = CLUSTER_SPEC;
  assert.deepEqual(rest, {
    state: "Suspended",
    intervalMs: 10_000,
    timeoutMs: 4_000,
    families: ["Totals", "Metrics"],
    schedules: [{ families: ["Totals"], cycles: 360 }],
    onMissing: "Omit",
    freshness: "GuestPeriod",
    maxConcurrentEndpoints: 4,
    deviceCacheTtlMs: 5_400_000,
    vms: { namespaces, vmSelector },
    staticTags: { site: "berlin" },
    vmLabels: tags.vmLabels,
    vmAnnotations: tags.vmAnnotations,
    measurementPrefix: "kv_",
    buffer: { maxBytes: 64 * 1024 * 1024, maxAgeMs: 21_600_000 },
  });
  const [one, two, three] = targets;
  assert.deepEqual(one, {
    name: "one",
    url: "https://one.example.com:8086/influx",
    protocol: { version: "v1", database: "telemetry", retentionPolicy: "week" },
    credentials: { kind: "basic", username: "<Secret.one.user>", password: new Secret("<Secret.one.pass>") },
    tls: {
      mode: "Insecure",
      ca: "<ConfigMap.authority.root.pem>",
      cert: "<Secret.client.tls.crt>",
      key: new Secret("<Secret.client.tls.key>"),
      serverName: "influx.internal",
    },
    headers: [
      { name: "X-Scope-OrgID", value: "team a" },
      { name: "X-Api-Key", value: new Secret("<Secret.gateway.api-key>") },
    ],
    flush: { intervalMs: 2_000, maxLines: 100, maxBytes: 64 * 1024 },
    timeoutMs: 20_000,
    gzip: false,
    maxDrainLinesPerSecond: 500,
    families: ["Totals"],
    vms: { namespaces, vmSelector },
  });
  assert.deepEqual([two?.protocol, two?.tls], [{ version: "v2", org: "o", bucket: "b" }, { mode: "Plaintext" }]);
  assert.deepEqual(three?.protocol, { version: "v3", database: "d", api: "V2Compatible" });
  assert.deepEqual(three.tls, { mode: "Verify", ca: "<Secret.authority.root.pem>" });
});

test("a default schedule is rounded up to a multiple of the interval, and only for collected families", async () => {
  const schedulesOf = async (collection: object): Promise<EffectiveConfig["schedules"]> =>
    (await resolved({ ...LEAST_SPEC, collection })).schedules;
  const families = ["Metrics", "Vcpus"];
  const cycles = async (interval: string): Promise<unknown> => schedulesOf({ interval, families });
  assert.deepEqual(await cycles("5s"), [{ families: ["Vcpus"], cycles: 6 }]);
  assert.deepEqual(await cycles("7s"), [{ families: ["Vcpus"], cycles: 5 }]);
  assert.equal(await cycles("30s"), undefined);
  assert.equal(await schedulesOf({ families, schedules: [] }), undefined, "an empty list replaces the default");
  assert.equal(await schedulesOf({ families, schedules: [{ families: ["Totals"], interval: "1m" }] }), undefined);
});

test("only the secrets that targets name are read", async () => {
  const secrets = echoSource();
  const { targets } = await resolved(FULL_SPEC, secrets);
  const revealed = targets.flatMap(({ credentials, tls: { key } }) => {
    const secret =
      credentials.kind === "basic"
        ? credentials.password
        : credentials.kind === "token"
          ? credentials.token
          : undefined;
    return [secret?.reveal(), key?.reveal()];
  });
  assert.deepEqual(revealed, [
    "<Secret.one.pass>",
    "<Secret.client.tls.key>",
    "<Secret.two.api-token>",
    undefined,
    "<Secret.three.t>",
    undefined,
  ]);
  assert.deepEqual(
    secrets.asked.sort(),
    [
      "ConfigMap authority root.pem",
      "Secret authority root.pem",
      "Secret client tls.crt",
      "Secret client tls.key",
      "Secret gateway api-key",
      "Secret one pass",
      "Secret one user",
      "Secret three t",
      "Secret two api-token",
    ].sort(),
  );
  const none = echoSource();
  await resolved(LEAST_SPEC, none);
  assert.deepEqual(none.asked, []);
});

const TIMEOUTS: readonly (readonly [interval: string, timeout: string | undefined, ms: number])[] = [
  ["1s", undefined, 800],
  ["5s", undefined, 4_000],
  ["10s", undefined, 8_000],
  ["1m", undefined, 8_000],
  ["1m", "50s", 50_000],
  ["5s", "4999ms", 4_999],
];

for (const [interval, timeout, ms] of TIMEOUTS) {
  test(`a cycle every ${interval} with ${timeout ?? "no"} timeout has ${ms} ms`, async () => {
    const { timeoutMs } = await resolved({ ...LEAST_SPEC, collection: { interval, ...(timeout && { timeout }) } });
    assert.equal(timeoutMs, ms);
  });
}

test("a target has its families in the order of collection", async () => {
  const spec = changed(LEAST_SPEC, ["targets", 0, "families"], ["Totals", "Metrics"]);
  assert.deepEqual((await resolved(spec)).targets[0]?.families, ["Metrics", "Totals"]);
});

test("a label without a tag gets its tag from its key", async () => {
  const { vmLabels } = await resolved({ ...LEAST_SPEC, tags: { vmLabels: [{ key: "example.com/app-tier" }] } });
  assert.deepEqual(vmLabels, [{ key: "example.com/app-tier", tag: "example_com_app_tier" }]);
});

/** Returns the fault and the kind of credentials of each target. */
async function accesses(secrets: SecretSource): Promise<readonly unknown[]> {
  const { targets } = await resolved(FULL_SPEC, secrets);
  return targets.map(({ credentials, fault }) => [credentials.kind, fault?.reason, fault?.message]);
}

test("a target without its Secret does not affect the others", async () => {
  const error = new TelemetryError("E_SECRET_NOT_FOUND", "the key `t` is not there");
  const secrets: SecretSource = {
    read: (_kind, name) => (name === "three" ? Promise.reject(error) : Promise.resolve("a")),
  };
  assert.deepEqual(await accesses(secrets), [
    ["basic", undefined, undefined],
    ["token", undefined, undefined],
    ["missing", "SecretNotFound", "the key `t` is not there"],
  ]);
});

test("an empty token is missing", async () => {
  const secrets: SecretSource = { read: (_kind, name) => Promise.resolve(name === "two" ? " \n" : "a") };
  const [, two] = await accesses(secrets);
  assert.deepEqual(two, ["missing", "SecretNotFound", "the key `api-token` of the Secret `two` is empty"]);
});

test("a byte order mark and blanks around a credential are removed", async () => {
  const secrets: SecretSource = { read: () => Promise.resolve("\uFEFF tok\u00A0\r\n\n") };
  const { targets } = await resolved(FULL_SPEC, secrets);
  const [one, two] = targets.map(({ credentials }) => credentials);
  assert.equal(one?.kind === "basic" && `${one.username} ${one.password.reveal()}`, "tok tok");
  assert.equal(two?.kind === "token" && two.token.reveal(), "tok");
});

for (const token of ["a b", "a\nb", "a\u0000", "t\u00f6ken", "\u{1f511}"]) {
  test(`the token ${JSON.stringify(token)} is a fault of its target that does not show it`, async () => {
    const secrets: SecretSource = { read: (_kind, name) => Promise.resolve(name === "two" ? token : "a") };
    const { targets } = await resolved(FULL_SPEC, secrets);
    const { credentials, fault } = targets[1] ?? {};
    assert.deepEqual([credentials?.kind, fault?.reason], ["missing", "TargetUnauthorized"]);
    assert.match(fault?.message ?? "", /^the key `api-token` of the Secret `two` is not a token: character \d of \d /);
    assert.ok(fault?.message.includes(token) === false);
  });
}

test("a header without its Secret is a fault of its target only", async () => {
  const error = new TelemetryError("E_SECRET_NOT_FOUND", "there is no Secret gateway");
  const secrets: SecretSource = {
    read: (_kind, name) => (name === "gateway" ? Promise.reject(error) : Promise.resolve("a")),
  };
  const none = [undefined, undefined];
  assert.deepEqual(await accesses(secrets), [
    ["missing", "SecretNotFound", "there is no Secret gateway"],
    ["token", ...none],
    ["token", ...none],
  ]);
});

for (const [value, why] of [
  ["a\r\nHost: b", "character 2 of 10 cannot be in a header"],
  ["t\u00f6ken", "character 2 of 5 cannot be in a header"],
  ["a".repeat(8_193), "it has 8193 characters, more than 8192"],
] as const) {
  test(`the header value ${JSON.stringify(value.slice(0, 12))} is a fault of its target: ${why}`, async () => {
    const secrets: SecretSource = { read: (_kind, name) => Promise.resolve(name === "gateway" ? value : "a") };
    const [one] = await accesses(secrets);
    const message = `the key \`api-key\` of the Secret \`gateway\` is not the value of a header: ${why}`;
    assert.deepEqual(one, ["missing", "TargetUnauthorized", message]);
  });
}

test("a target without its Secret keeps its plain headers, which tell where it stores lines", async () => {
  const fails = (): Promise<never> => Promise.reject(new TelemetryError("E_SECRET_NOT_FOUND", "no Secret"));
  const [target] = (await resolved(FULL_SPEC, { read: fails })).targets;
  assert.equal(target?.credentials.kind, "missing");
  assert.deepEqual(target.headers, [{ name: "X-Scope-OrgID", value: "team a" }]);
});

test("a renewed Secret of a header makes another configuration", async () => {
  let value = "first";
  const secrets: SecretSource = { read: (_kind, name) => Promise.resolve(name === "gateway" ? value : "a") };
  const { config } = parseConfig(configText(FULL_SPEC));
  assert.ok(config);
  const reader = new TargetAccessReader(secrets);
  const before = fingerprint(await resolveConfig(config, reader));
  assert.equal(fingerprint(await resolveConfig(config, reader)), before);
  value = "second";
  assert.notEqual(fingerprint(await resolveConfig(config, reader)), before);
});

test("a printed configuration shows no tokens, passwords or keys", async () => {
  const config = await resolved(FULL_SPEC);
  for (const text of [JSON.stringify(config), inspect(config, { depth: null, showHidden: true })]) {
    for (const secret of [
      "<Secret.one.pass>",
      "<Secret.client.tls.key>",
      "<Secret.two.api-token>",
      "<Secret.three.t>",
      "<Secret.gateway.api-key>",
    ])
      assert.equal(text.includes(secret), false, secret);
    assert.ok(text.includes("<Secret.one.user>"), "other values are shown");
  }
});
