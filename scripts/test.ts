// All tests in one command. `npm test -- unit`, `-- integration` or `-- FILE...` runs a part.
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import { provision } from "./provision/provision.ts";
import { report } from "./test-outcome.ts";

/** Everything that needs nothing but Node. */
const UNIT = ["test/*.test.ts", "test/unit/**/*.test.ts", "test/fault/**/*.test.ts"];
/**
 * What needs other programs, of the chart helm, of the rest real servers. One file at a time: guests and servers share two
 * cores and the tests must not starve each other.
 */
const INTEGRATION = ["test/chart/**/*.test.ts", "test/integration/**/*.test.ts"];

/** Far more than any run takes. It ends a run that hangs, so that the others still run and the log is read. */
const RUN_TIMEOUT_MS = 900_000;

const wanted = process.argv.slice(2);
const files = wanted.filter((argument) => argument.endsWith(".ts"));
const all = wanted.length === 0;
let failed = false;
const skipped: string[] = [];
/** Files that passed only when they were run again. */
const flaky: string[] = [];

function found(patterns: readonly string[]): readonly string[] {
  return patterns.flatMap((pattern) => globSync(pattern)).sort();
}

/** Returns whether all tests passed. */
function run(title: string, files: readonly string[], { concurrency = 1, env = process.env } = {}): boolean {
  if (files.length === 0) return true;
  console.log(`# ${title}: ${files.length} ${files.length === 1 ? "file" : "files"}`);
  const options = ["--test", `--test-concurrency=${concurrency}`, "--test-reporter=spec"];
  return spawnSync("node", [...options, ...files], { stdio: "inherit", env, timeout: RUN_TIMEOUT_MS }).status === 0;
}

/**
 * Returns the environment with a compile cache, unless it already names one. Every test file is a process that loads the same
 * sources, and some start the agent as another process: without the cache, removing the types takes most of their time.
 */
function withCompileCache(): NodeJS.ProcessEnv {
  return { NODE_COMPILE_CACHE: path.resolve("node_modules/.cache/node-compile-cache"), ...process.env };
}

/** Runs one file after the other. A file that fails runs a second time, so that the log tells flaky from broken. */
function runEach(files: readonly string[]): void {
  for (const [index, file] of files.entries()) {
    if (run(`${file}, integration ${index + 1} of ${files.length}`, [file])) continue;
    if (run(`${file} has failed, and is run once more`, [file])) flaky.push(file);
    else failed = true;
  }
}

function runUnit(files: readonly string[]): boolean {
  // One file more than there are cores, because some files mostly wait.
  return run("unit and fault tests", files, { concurrency: availableParallelism() + 1, env: withCompileCache() });
}

function build(): void {
  failed = spawnSync("node", ["scripts/build.ts"], { stdio: "inherit" }).status !== 0 || failed;
}

/** Leaves out the files whose servers cannot be had here, and says so. */
function runIntegration(files: readonly string[]): void {
  const missing = provision(files);
  const able = files.filter((file) => missing.get(file)?.length === 0);
  for (const file of files)
    if (!able.includes(file)) skipped.push(`${file} needs ${missing.get(file)?.join("; ") ?? ""}`);
  if (able.length > 0) build();
  runEach(able);
}

if (files.length > 0) failed = !run("chosen files", files) || failed;
if (all || wanted.includes("unit")) failed = !runUnit(found(UNIT)) || failed;
if (all || wanted.includes("integration")) runIntegration(found(INTEGRATION));

const { exitCode, messages } = report({ failed, flaky, skipped }, process.env["CI"] === "true");
console.log(messages.join("\n"));
process.exitCode = exitCode;
