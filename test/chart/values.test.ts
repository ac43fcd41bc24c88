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

test("every value that is off or empty by default is set by a file in ci/", () => {
  const set = [...VALUES_FILES.values()].flatMap((file) => paths(read(file), schema));
  const elsewhere = [
    "admissionPolicy.enabled",
    "agent.serviceAccount.automount",
    "agent.spool.remove",
    "controller.serviceAccount.automount",
    "crds.enabled",
    "crds.keep",
  ];
  const byDefault = ["controller.nodeSelector", "image.tag"];
  assert.deepEqual(all.filter((path) => !set.includes(path)).sort(), [...elsewhere, ...byDefault].sort());
});
