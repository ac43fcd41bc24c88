import assert from "node:assert/strict";
import { accessSync, constants, existsSync, globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, string>>;
}

interface Workflow {
  readonly name: string;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, { readonly uses?: string; readonly steps?: readonly Step[] }>>;
}

const workflows = globSync(".github/workflows/*.yaml")
  .sort()
  .map((file) => parse(readFileSync(file, "utf8")) as Workflow);
const jobs = workflows.flatMap((workflow) => Object.values(workflow.jobs));
const steps = jobs.flatMap((job) => job.steps ?? []);
const scripts = steps.flatMap(({ run }) => run ?? []).join("\n");

test("changes and releases run what a contributor runs", () => {
  const [ci, release] = workflows;
  assert.deepEqual([ci?.name, release?.name], ["ci", "release"]);
  assert.equal(ci?.jobs["test"]?.steps?.at(-1)?.run, ".ci/run");
  accessSync(".ci/run", constants.X_OK);
  assert.equal(release?.jobs["test"]?.uses, "./.github/workflows/ci.yaml");
});

test("what the workflows run and name exists", () => {
  const { scripts: npm } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };
  const called = [...scripts.matchAll(/npm run (\w+)/g)].map(([, name = ""]) => name);
  assert.deepEqual(called, ["build"]);
  for (const name of called) assert.ok(name in npm, name);
  const files = scripts.match(/\b(?:charts|manifests)\/[\w./-]+/g) ?? [];
  assert.ok(files.length >= 3);
  for (const file of files) assert.ok(existsSync(file), file);
  assert.match(readFileSync("scripts/build.ts", "utf8"), /dist\/THIRD_PARTY_LICENSES\.txt/);
});

test("the arguments of the image's build are those that the Dockerfile has", () => {
  const given = steps
    .flatMap((step) => step.with?.["build-args"] ?? [])
    .flatMap((text) => text.match(/^\w+(?==)/gm) ?? []);
  const known: readonly string[] = readFileSync("Dockerfile", "utf8").match(/(?<=^ARG )\w+/gm) ?? [];
  assert.deepEqual(given, ["VERSION", "REVISION", "SOURCE"]);
  for (const name of given) assert.ok(known.includes(name), name);
});

test("actions have a version, and the token no more rights than a job asks for", () => {
  const actions = steps.flatMap(({ uses }) => uses ?? []);
  assert.notEqual(actions.length, 0);
  for (const action of actions) assert.match(action, /^[\w-]+\/[\w-]+@(?:v\d+(?:\.\d+)*|[0-9a-f]{40})$/);
  for (const { permissions } of workflows) assert.deepEqual(permissions, { contents: "read" });
});

test("no text from outside becomes part of a script", () => {
  assert.doesNotMatch(scripts, /\$\{\{/);
});

test("the chart and its image have the version that a tag must have", () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  const chart = parse(readFileSync("charts/kubevirt-telemetry/Chart.yaml", "utf8")) as Record<string, unknown>;
  assert.deepEqual([chart["version"], chart["appVersion"]], [version, version]);
});
