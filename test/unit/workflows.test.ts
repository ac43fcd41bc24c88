import assert from "node:assert/strict";
import { accessSync, constants, existsSync, globSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { parse } from "yaml";

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, string>>;
}

interface Job {
  readonly uses?: string;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly steps?: readonly Step[];
}

interface Workflow {
  readonly name: string;
  readonly permissions?: Readonly<Record<string, string>>;
  readonly jobs: Readonly<Record<string, Job>>;
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
  for (const [, name = ""] of scripts.matchAll(/npm run (\w+)/g)) assert.ok(name in npm, name);
  const files = scripts.match(/\b(?:charts|manifests|scripts)\/[\w./-]+/g) ?? [];
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

test("actions and base images are pinned by digest, and the token has no rights by default", () => {
  const actions = steps.flatMap(({ uses }) => uses ?? []);
  assert.notEqual(actions.length, 0);
  for (const action of actions) assert.match(action, /^[\w-]+\/[\w-]+@[0-9a-f]{40}$/);
  const images = readFileSync("Dockerfile", "utf8").match(/(?<=^ARG \w+_IMAGE=).+/gm) ?? [];
  assert.equal(images.length, 2);
  for (const image of images) assert.match(image, /^[\w./-]+:[\w.-]+@sha256:[0-9a-f]{64}$/);
  for (const { permissions } of workflows) assert.deepEqual(permissions, { contents: "read" });
});

test("a release job that runs code of packages has no rights, and runs no install script", () => {
  const release = workflows.find(({ name }) => name === "release");
  const building = Object.values(release?.jobs ?? {}).filter(({ steps: own = [] }) =>
    own.some(({ run = "" }) => /\b(?:npm|node)\b/.test(run)),
  );
  assert.equal(building.length, 1);
  const [{ permissions, steps: own = [] } = {}] = building;
  assert.equal(permissions, undefined);
  for (const [install] of scripts.matchAll(/npm (?:ci|install).*/g)) assert.match(install, /--ignore-scripts/);
  const { devDependencies } = JSON.parse(readFileSync("package.json", "utf8")) as {
    devDependencies: Record<string, string>;
  };
  const version = own.find(({ uses }) => uses?.startsWith("actions/setup-node@"))?.with?.["node-version"];
  assert.equal(version, devDependencies["node"], "the runtime is the one of the tests");
});

test("SIGUSR1 does not open the inspector of the image's Node", () => {
  assert.match(readFileSync("Dockerfile", "utf8"), /^ENTRYPOINT .*"--disable-sigusr1"/m);
});

test("no text from outside becomes part of a script", () => {
  assert.doesNotMatch(scripts, /\$\{\{/);
});

test("the chart and its image have the version that a tag must have", () => {
  const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
  const chart = parse(readFileSync("charts/kubevirt-telemetry/Chart.yaml", "utf8")) as Record<string, unknown>;
  assert.deepEqual([chart["version"], chart["appVersion"]], [version, version]);
});
