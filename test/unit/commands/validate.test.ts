import assert from "node:assert/strict";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import type { ReadStream } from "node:tty";
import { parse } from "yaml";
import { validate, type ValidateOptions } from "../../../src/commands/validate.ts";
import { run } from "../../support/command-line.ts";
import { CLUSTER_SPEC, FULL_SPEC, configText } from "../../support/config.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

async function validated(files: readonly string[], options: ValidateOptions = {}, input: string | Buffer = "") {
  const printed: string[] = [];
  const stdin = new PassThrough().end(input) as unknown as ReadStream;
  const exitCode = await validate(files, options, { stdin, print: (line) => printed.push(line) });
  return { exitCode, printed };
}

const MANY_FAULTS = "test/golden/validate/many-faults";

test("every fault of a file is printed as file:line: path: message", async () => {
  const { exitCode, printed } = await validated([`${MANY_FAULTS}.yaml`]);
  assert.equal(`${printed.join("\n")}\n`, await readFile(`${MANY_FAULTS}.txt`, "utf8"));
  assert.equal(exitCode, 1);
  for (const line of printed) assert.match(line, /^test\/golden\/validate\/many-faults\.yaml:\d+: \S+: \S/);
});

test("a file without faults prints nothing", async (t) => {
  const file = path.join(await temporaryDirectory(t), "good.yaml");
  await writeFile(file, configText(FULL_SPEC));
  assert.deepEqual(await validated([file]), { exitCode: 0, printed: [] });
});

test("files are checked in order, and one with faults makes the command fail", async (t) => {
  const dir = await temporaryDirectory(t);
  const [good, bad, worse] = ["good.yaml", "bad.yaml", "worse.yaml"].map((name) => path.join(dir, name)) as [
    string,
    string,
    string,
  ];
  await writeFile(good, configText(FULL_SPEC));
  await writeFile(bad, configText({ ...FULL_SPEC, priority: 5_000 }));
  await writeFile(worse, "[");
  const { exitCode, printed } = await validated([worse, good, bad, good]);
  assert.equal(exitCode, 1);
  assert.deepEqual(
    printed.map((line) => line.replace(/:.*/, "")),
    [worse, bad],
  );
});

test("an unreadable file is a fault without a line number, and the others are checked", async (t) => {
  const dir = await temporaryDirectory(t);
  const bad = path.join(dir, "bad.yaml");
  await writeFile(bad, "");
  const { exitCode, printed } = await validated([path.join(dir, "absent.yaml"), bad]);
  assert.equal(exitCode, 1);
  assert.deepEqual(printed, [
    `${dir}/absent.yaml: cannot be read: ENOENT: no such file or directory, open '${dir}/absent.yaml'`,
    `${bad}:1: is empty`,
  ]);
});

test("a dash is the standard input", async () => {
  assert.deepEqual(await validated(["-"], {}, configText(FULL_SPEC)), { exitCode: 0, printed: [] });
  const faulty = await validated(["-"], {}, configText({ ...FULL_SPEC, priority: 5_000 }));
  assert.equal(faulty.exitCode, 1);
  assert.match(faulty.printed.join("\n"), /^-:\d+: spec\.priority: must be -1000 to 1000, is 5000$/);
});

test("of an input without an end only a part is read", async () => {
  const { exitCode, printed } = await validated(["/dev/zero"]);
  assert.equal(exitCode, 1);
  assert.match(printed.join("\n"), /^\/dev\/zero:1: has \d+ characters, more than 1048576$/);
});

test("a directory stands for every object of this project in the YAML files below it", async (t) => {
  const dir = await temporaryDirectory(t);
  const bad = configText({ ...FULL_SPEC, priority: 5_000 });
  const files = {
    "b.yaml": bad,
    "a/c.yml": bad.replace("kind: TelemetryConfig", "kind: TelemetryConfigs"),
    "a/good.yaml": configText(FULL_SPEC),
    "a/values.json": bad,
    "other.yaml": "apiVersion: v1\nkind: Secret\n",
    "rights.yaml": "apiVersion: v1\nrules: [{ apiGroups: [kubevirt-telemetry.io] }]\n",
    ".git/d.yaml": bad,
    "node_modules/e.yaml": bad,
  };
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(dir, name)), { recursive: true });
    await writeFile(path.join(dir, name), text);
  }
  await symlink(dir, path.join(dir, "loop"));
  const { exitCode, printed } = await validated([dir]);
  assert.equal(exitCode, 1);
  const faulty = new Set(printed.map((line) => path.relative(dir, line.replace(/:.*/, ""))));
  assert.deepEqual([...faulty], ["a/c.yml", "b.yaml"]);
});

test("a directory without a TelemetryConfig is a fault", async (t) => {
  const dir = await temporaryDirectory(t);
  assert.deepEqual(await validated([dir]), {
    exitCode: 1,
    printed: [`${dir}: has no YAML file with a TelemetryConfig`],
  });
});

test("the project's own manifests are valid as a directory", async () => {
  assert.deepEqual(await validated(["manifests"], { cluster: true }), { exitCode: 0, printed: [] });
});

test("with --output json the faults are one list, which is empty without faults", async (t) => {
  const file = path.join(await temporaryDirectory(t), "bad.yaml");
  await writeFile(file, configText({ ...FULL_SPEC, priority: 5_000 }));
  const { exitCode, printed } = await validated([file, `${file}.absent`], { output: "json" });
  const [fault, unreadable, ...more] = JSON.parse(printed.join("\n")) as Record<string, unknown>[];
  assert.deepEqual([exitCode, printed.length, more], [1, 1, []]);
  assert.deepEqual(fault, {
    file,
    line: fault?.["line"],
    path: "spec.priority",
    message: "must be -1000 to 1000, is 5000",
  });
  assert.deepEqual([unreadable?.["file"], unreadable?.["line"]], [`${file}.absent`, undefined]);
  assert.deepEqual(await validated(["docs/examples"], { output: "json" }), { exitCode: 0, printed: ["[]"] });
});

test("the pre-commit hook checks the files of a repository", async () => {
  const [hook, ...others] = parse(await readFile(".pre-commit-hooks.yaml", "utf8")) as readonly {
    readonly entry: string;
    readonly pass_filenames: boolean;
    readonly files: string;
  }[];
  assert.deepEqual([others, hook?.pass_filenames], [[], false]);
  const [program, ...args] = (hook?.entry ?? "").split(" ");
  assert.equal(program, "kubevirt-telemetry");
  assert.deepEqual(await run(args.map((arg) => (arg === "." ? "manifests" : arg))), {
    exitCode: 0,
    stdout: "",
    stderr: "",
  });
  assert.match("a/config.yml", new RegExp(hook?.files ?? ""));
});

test("a file for a cluster is valid only with --cluster", async (t) => {
  const file = path.join(await temporaryDirectory(t), "cluster.yaml");
  await writeFile(file, configText(CLUSTER_SPEC));
  assert.equal((await validated([file])).exitCode, 1);
  assert.deepEqual(await validated([file], { cluster: true }), { exitCode: 0, printed: [] });
});

test("a file of arbitrary bytes is checked", async (t) => {
  const file = path.join(await temporaryDirectory(t), "bytes.yaml");
  await writeFile(file, Buffer.from(Array.from({ length: 1_024 }, (_, index) => index % 256)));
  const { exitCode, printed } = await validated([file]);
  assert.equal(exitCode, 1);
  assert.ok(printed.length > 0);
});
