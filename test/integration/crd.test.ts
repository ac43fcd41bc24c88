import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import fc from "fast-check";
import { parse, stringify } from "yaml";
import { brokenRules } from "../../src/config/rules.ts";
import { check } from "../../src/config/check.ts";
import type { Schema } from "../../src/config/json-schema.ts";
import { readClusterObject } from "../../src/config/cluster-object.ts";
import { parseConfig } from "../../src/config/parse.ts";
import { SPEC_SCHEMA } from "../../src/config/schema.ts";
import { aggregate } from "../../src/status/aggregate.ts";
import { nodeReport } from "../../src/status/node-report.ts";
import { observation } from "../support/observation.ts";
import { RULE_BREAKERS } from "../support/rule-breakers.ts";
import { judge } from "../support/rule-verdicts.ts";
import { anySpec } from "../support/spec-arbitrary.ts";
import { KubeCluster } from "./support/kube.ts";
import type { ApiObject } from "./support/kube-api.ts";
import { until } from "./support/process.ts";

const API = "/apis/kubevirt-telemetry.io/v1alpha1";
const CONFIGS = `${API}/telemetryconfigs`;
const NODES = `${API}/nodetelemetries`;
const CRD_FILE = "manifests/crds/telemetryconfigs.yaml";
const NOW = Date.UTC(2026, 0, 1);
const TARGET = { name: "central", url: "https://influx.example.com", v2: { org: "o", bucket: "b" } };

const resources = new AsyncDisposableStack();
let cluster: KubeCluster;

before(async () => {
  cluster = resources.use(await KubeCluster.start());
  for (const file of globSync("manifests/crds/*.yaml")) await cluster.apply(readFileSync(file, "utf8"));
});
after(() => resources.disposeAsync());

function config(name: string, spec: object): object {
  return { apiVersion: "kubevirt-telemetry.io/v1alpha1", kind: "TelemetryConfig", metadata: { name }, spec };
}

/** Resolves to the server's answer to a dry run. */
async function tryOut(spec: object): Promise<{ readonly accepted: boolean; readonly message: string }> {
  const { status, body } = await cluster.request("POST", `${CONFIGS}?dryRun=All&fieldValidation=Strict`, {
    body: config("try", spec),
  });
  assert.ok(status === 201 || status === 422, `${status}: ${body.message ?? ""}`);
  return { accepted: status === 201, message: body.message ?? "" };
}

/** Asserts that the server finds the same faults as the TypeScript rules, at the same paths. */
async function assertSameFaults(spec: object): Promise<void> {
  const broken = judge(spec).filter(({ twinHolds }) => !twinHolds);
  const { message } = await tryOut(spec);
  for (const fault of broken)
    assert.ok(message.includes(`${fault.path}: Invalid value: `) && message.includes(fault.message), message);
  assert.equal(message.split("Invalid value: ").length - 1, broken.length, message);
}

/** Server-side apply, as the agents and the controller write. */
function apply(path: string, object: object): Promise<ApiObject> {
  const query = "fieldManager=test&force=true&fieldValidation=Strict";
  return cluster.call("PATCH", `${path}?${query}`, { body: object, contentType: "application/apply-patch+yaml" });
}

test("the server accepts every sample and fills in the same defaults as for a file", async () => {
  for (const file of globSync("manifests/samples/*.yaml")) {
    const text = readFileSync(file, "utf8");
    await cluster.apply(text);
    const wanted = parseConfig(text, { cluster: true }).config;
    const stored = await cluster.call("GET", `${CONFIGS}/${wanted?.metadata.name ?? ""}`);
    assert.deepEqual(stored.spec, wanted?.spec, file);
    assert.deepEqual(readClusterObject(stored)?.config?.spec, wanted?.spec, file);
  }
});

test("the server rejects a broken rule at its path, with our message only", async () => {
  for (const spec of RULE_BREAKERS) {
    assert.equal((await tryOut(spec)).accepted, false, JSON.stringify(spec));
    await assertSameFaults(spec);
  }
});

test("the server and the check of files agree on generated objects", async () => {
  const property = fc.asyncProperty(anySpec, async (spec) => {
    const faults: unknown[] = [];
    const checked = check(SPEC_SCHEMA as unknown as Schema, spec, [], (fault) => faults.push(fault));
    const { accepted, message } = await tryOut(spec);
    assert.equal(accepted, faults.length + brokenRules(checked).length === 0, message);
    // The server checks no rule of an object that breaks the schema.
    if (!message.includes("Duplicate value")) await assertSameFaults(spec);
  });
  await fc.assert(property, { numRuns: 300 });
});

test("the server rejects repeated items of lists", async () => {
  const twice: readonly (readonly [path: string, spec: object])[] = [
    ["spec.targets[1]", { targets: [TARGET, { ...TARGET, url: "https://other.example.com" }] }],
    ["spec.targets[0].families[1]", { targets: [{ ...TARGET, families: ["Metrics", "Metrics"] }] }],
    ["spec.tags.vmLabels[1]", { tags: { vmLabels: [{ key: "a" }, { key: "a", tag: "b" }] }, targets: [TARGET] }],
    ["spec.namespaces.exclude[1]", { namespaces: { exclude: ["web", "web"] }, targets: [TARGET] }],
  ];
  for (const [path, spec] of twice) {
    assert.match((await tryOut(spec)).message, new RegExp(`${path.replace(/[[\]]/g, "\\$&")}: Duplicate value`));
    const faults = readClusterObject({ metadata: { name: "twice", uid: "u" }, spec })?.faults;
    assert.match(faults?.join() ?? "", /must not be given twice/);
  }
});

test("a server-side apply that names fewer families than the default collects only these", async () => {
  const families = ["Metrics", "Totals"];
  const apply = (collection: object): Promise<ApiObject> =>
    cluster.call("PATCH", `${CONFIGS}/fewer?fieldManager=admin&force=true`, {
      body: config("fewer", { collection, targets: [TARGET] }),
      contentType: "application/apply-patch+yaml",
    });
  await apply({});
  assert.deepEqual((await apply({ families })).spec?.["collection"], {
    families,
    freshness: "EveryCycle",
    interval: "5s",
    maxConcurrentEndpoints: 16,
    onMissing: "Zero",
  });
});

test("labels and status of an object that breaks a newer rule can still be written", async () => {
  const crd = readFileSync(CRD_FILE, "utf8");
  const older = JSON.parse(JSON.stringify(parse(crd)), (key, value: unknown) =>
    key === "x-kubernetes-validations" ? undefined : value,
  ) as object;
  const broken = { collection: { interval: "1ms" }, targets: [{ ...TARGET, url: "ftp://influx.example.com" }] };
  const inForce = (accepted: boolean) => async (): Promise<boolean> =>
    (await tryOut(broken)).accepted === accepted || Promise.reject(new Error("not yet"));

  await cluster.apply(stringify(older));
  await until(inForce(true), "the CRD without rules to be active");
  await cluster.call("POST", CONFIGS, { body: config("older", broken) });
  await cluster.apply(crd);
  await until(inForce(false), "the rules to be active again");

  const path = `${CONFIGS}/older`;
  const contentType = "application/merge-patch+json";
  await cluster.call("PATCH", path, { body: { metadata: { labels: { team: "a" } } }, contentType });
  await cluster.call("PATCH", `${path}/status`, { body: { status: { targetCount: 1 } }, contentType });
  const faults = readClusterObject(await cluster.call("GET", path))?.faults;
  assert.equal(faults?.length, 2, "an agent of this version sees what is wrong");
  await cluster.call("DELETE", path);
});

/** Resolves to the cells of `kubectl get` as `NAME=web`, in order, without the age. */
async function columns(kind: string, name: string): Promise<string[]> {
  const [header = "", row = ""] = (await cluster.kubectl("get", kind, name)).trimEnd().split("\n");
  const titles = [...header.matchAll(/\S+/g)];
  assert.equal(titles.at(-1)?.[0], "AGE");
  return titles.slice(0, -1).map(({ 0: title, index }, at) => {
    return `${title}=${row.slice(index, titles[at + 1]?.index).trim()}`;
  });
}

test("kubectl shows a NodeTelemetry by its short name, column for column", async () => {
  const report = nodeReport(
    observation({
      targets: [
        { name: "a", state: "Delivering", sinceMs: NOW, reason: undefined, detail: undefined },
        { name: "b", state: "Failing", sinceMs: NOW, reason: "TargetUnauthorized", detail: "HTTP 401" },
      ],
    }),
    undefined,
    NOW,
  );
  const object = { apiVersion: "kubevirt-telemetry.io/v1alpha1", kind: "NodeTelemetry", metadata: { name: "node-a" } };
  await apply(`${NODES}/node-a`, object);
  assert.deepEqual(await columns("nt", "node-a"), [
    "NAME=node-a",
    "READY=",
    "CONFIG=",
    "DOMAINS=",
    "TARGETS=",
    "REASON=",
  ]);

  await apply(`${NODES}/node-a/status`, { ...object, status: report });
  assert.deepEqual(await columns("nt", "node-a"), [
    "NAME=node-a",
    "READY=False",
    "CONFIG=default",
    "DOMAINS=2",
    "TARGETS=1/2",
    "REASON=TargetUnauthorized",
  ]);
  const wide = await cluster.kubectl("get", "nt", "--output", "wide");
  assert.match(wide, /^NAME .* AGE +ENDPOINTS +VERSION +MESSAGE\nnode-a .*s +\d+ +\S+ +.*HTTP 401/);
  assert.deepEqual((await cluster.call("GET", `${NODES}/node-a`)).status, report, "nothing of the report is pruned");
  assert.match(await cluster.kubectl("get", "telemetry", "--output", "name"), /^nodetelemetry.*\/node-a$/m);
});

test("kubectl shows a TelemetryConfig by its short name, column for column", async () => {
  await cluster.call("POST", CONFIGS, { body: config("shown", { priority: -3, targets: [TARGET] }) });
  const { metadata } = await cluster.call("GET", `${CONFIGS}/shown`);
  const report = nodeReport(
    observation({ config: { name: "shown", uid: metadata.uid, observedGeneration: 1 }, selectedBy: ["shown"] }),
    undefined,
    NOW,
  );
  const summary = { name: "shown", uid: metadata.uid, generation: 1, targetCount: 1, faults: [], suspended: false };
  const reports = [
    { node: "node-a", status: report },
    { node: "node-b", status: { ...report, conditions: [] } },
  ];
  const status = aggregate({ ...summary, status: undefined }, reports, NOW);
  await apply(`${CONFIGS}/shown/status`, { ...config("shown", {}), spec: undefined, status });

  assert.deepEqual(await columns("tcfg", "shown"), [
    "NAME=shown",
    "PRIORITY=-3",
    "INTERVAL=5s",
    "TARGETS=1",
    "READY=Unknown",
    "NODES=1/2",
  ]);
  assert.deepEqual((await cluster.call("GET", `${CONFIGS}/shown`)).status, status, "nothing of the status is pruned");
});
