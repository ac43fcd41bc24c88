import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";
import { CHART, helm } from "../../scripts/helm.ts";
import { VALUES_FILES } from "../support/chart.ts";

type Values = Readonly<Record<string, unknown>>;

const WRONG: readonly (readonly [what: string, set: string, reason: RegExp])[] = [
  ["an unknown value", "agents.launchers=root", /additional properties 'agents' not allowed/],
  ["an unknown inner value", "agent.spool.size=1Gi", /'\/agent\/spool'.*'size' not allowed/],
  ["a number instead of a text", "image.tag=5", /'\/image\/tag'.*got number, want string/],
  ["a text instead of a boolean", "crds.keep=no", /'\/crds\/keep'.*got string, want boolean/],
  ["an unknown user of launchers", "agent.launchers=qemu", /'\/agent\/launchers'.*must be one of 'nonroot', 'root'/],
  ["a relative path", "agent.podsDir=pods", /'\/agent\/podsDir'.*does not match pattern/],
  ["a port out of range", "port=99999", /'\/port'.*maximum/],
  [
    "a number that Helm reads as a text",
    "controller.env[0].value=1",
    /'\/controller\/env\/0'.*missing property 'name'/,
  ],
  ["an unknown time of a probe", "probes.startup.period=5", /invalid propertyName 'period'/],
  ["two monitors of the same pods", "podMonitor.enabled=true,serviceMonitor.enabled=true", /exclude each other/],
  [
    "the removal of a spool in the pod, which would leave the files on the nodes",
    "agent.spool.remove=true,agent.spool.type=emptyDir",
    /agent.spool.remove needs agent.spool.type=hostPath/,
  ],
  ["an invalid digest", "image.digest=sha256:ab", /'\/image\/digest'.*does not match pattern/],
  ["an empty name of a Secret, which would allow all", "secretNames={}", /secretNames/],
  [
    "a TelemetryConfig without targets",
    "telemetryConfig.create=true",
    /'\/telemetryConfig\/spec'.*missing property 'targets'/,
  ],
  [
    "an unknown field of the TelemetryConfig",
    "telemetryConfig.create=true,telemetryConfig.spec.targets[0].name=a,telemetryConfig.spec.targets[0].url=https://a,telemetryConfig.spec.target=b",
    /'\/telemetryConfig\/spec'.*'target' not allowed/,
  ],
];

for (const [what, set, reason] of WRONG) {
  test(`${what} is rejected before anything is installed`, () => {
    const { ok, stderr } = helm("template", "r", CHART, "--set", set);
    assert.equal(ok, false, set);
    assert.match(stderr.replace(/\s+/g, " "), reason);
  });
}

/** Returns paths such as `agent.port`. A map that allows additional properties is one value. */
function paths(values: Values, schema: Values, at = ""): string[] {
  const properties = schema["properties"] as Readonly<Record<string, Values>> | undefined;
  return Object.entries(values).flatMap(([key, value]) => {
    const below = properties?.[key];
    const closed = below?.["additionalProperties"] === false;
    return closed ? paths(value as Values, below, `${at}${key}.`) : [at + key];
  });
}

function read(file: string): Values {
  return parse(readFileSync(file, "utf8")) as Values;
}

const schema = JSON.parse(readFileSync(`${CHART}/values.schema.json`, "utf8")) as Values;
const all = paths(read(`${CHART}/values.yaml`), schema);

test("every value is described", () => {
  const described = readFileSync(`${CHART}/README.md`, "utf8");
  for (const path of all)
    assert.match(described, new RegExp(`^\\| \`${path.replaceAll(".", "\\.")}\` +\\|[^|]*\\| [^ |]`, "m"), path);
});

test("every value is used by a template", () => {
  const templates = globSync(`${CHART}/templates/**`, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => readFileSync(`${parentPath}/${name}`, "utf8"))
    .join("\n");
  const unused = all.filter((path) => {
    const parts = path.split(".");
    // Used by its whole path, or by its last part inside a `with` of its parent.
    return !templates.includes(`.Values.${path}`) && !new RegExp(` \\.${parts.at(-1) ?? ""}[ )]`).test(templates);
  });
  assert.deepEqual(unused, []);
});

/** Values that are on or set by default, and the tag, which has no effect beside a digest. */
const UNSET = ["admissionPolicy.enabled", "crds.enabled", "crds.keep", "controller.nodeSelector", "image.tag"];

/** Returns the values that some of the files set. */
function valuesIn(files: Iterable<string>): ReadonlySet<string> {
  return new Set([...files].flatMap((file) => paths(read(file), schema)));
}

test("every value that is off or empty by default is set by a file in ci/", () => {
  const set = valuesIn(VALUES_FILES.values());
  assert.deepEqual(all.filter((path) => !set.has(path)).sort(), UNSET.toSorted());
});

/** Values of the pods that the tests of a real node do not set from a file, and what uses them instead. */
const OFF_NODE: Readonly<Record<string, readonly string[]>> = {
  "the scheduler": ["nodeSelector", "tolerations", "affinity", "priorityClassName"].flatMap((name) => [
    `agent.${name}`,
    `controller.${name}`,
  ]),
  "another operator": ["enabled", "updateMode", "policy"].map((name) => `agent.verticalPodAutoscaler.${name}`),
  "a node with other launchers, directories or a security module": [
    ...["agent.launchers", "agent.podsDir", "agent.spool.type", "agent.spool.hostPath", "agent.spool.sizeLimit"],
    ...["agent.hostUsers", "agent.seLinuxOptions"],
  ],
  "the API server": ["agent.serviceAccount.create", "controller.serviceAccount.create"],
};

test("every value of the pods is set by a file in ci/ that is installed on a real node", () => {
  const tests = globSync("test/integration/node-*.test.ts").map((file) => readFileSync(file, "utf8"));
  const installed = [...VALUES_FILES].filter(([name]) =>
    tests.some((text) => text.includes(`/ci/${name}-values.yaml`)),
  );
  const set = valuesIn(installed.map(([, file]) => file));
  const ofPods = all.filter((path) => /^(agent|controller)\./.test(path));
  assert.deepEqual(ofPods.filter((path) => !set.has(path)).sort(), Object.values(OFF_NODE).flat().sort());
});
