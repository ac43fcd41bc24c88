// All tests in one command. `npm test -- unit`, `-- integration` or `-- FILE...` runs a part.
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { provision } from "./provision/provision.ts";

/** Everything that needs nothing but Node. */
const UNIT = ["test/*.test.ts", "test/unit/**/*.test.ts", "test/fault/**/*.test.ts"];
/**
 * What needs other programs, of the chart helm, of the rest real servers. One file at a time: guests and servers share two
 * cores and the tests must not starve each other.
 */
const INTEGRATION = ["test/chart/**/*.test.ts", "test/integration/**/*.test.ts"];

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
function run(title: string, files: readonly string[], concurrency = 1): boolean {
  if (files.length === 0) return true;
  console.log(`# ${title}: ${files.length} ${files.length === 1 ? "file" : "files"}`);
  const options = ["--test", `--test-concurrency=${concurrency}`, "--test-reporter=spec"];
  return spawnSync("node", [...options, ...files], { stdio: "inherit" }).status === 0;
}

/**
 * One file after the other. A file that fails is run once more by itself: guests and servers share a machine with whatever
 * else it does, and a landing must not hang on a slow minute. But a test that passes only then has a fault, and is named.
 */
function runEach(files: readonly string[]): void {
  for (const [index, file] of files.entries()) {
    if (run(`${file}, integration ${index + 1} of ${files.length}`, [file])) continue;
    if (run(`${file} has failed, and is run once more`, [file])) flaky.push(file);
    else failed = true;
  }
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
if (all || wanted.includes("unit")) failed = !run("unit and fault tests", found(UNIT), 2) || failed;
if (all || wanted.includes("integration")) runIntegration(found(INTEGRATION));

shout("TESTS PASSED ONLY WHEN THEY WERE RUN AGAIN, find out why", flaky);
shout("TESTS WERE SKIPPED", skipped);
if (skipped.length > 0 && process.env["CI"] === "true") {
  failed = true;
  console.error("with CI=true no test may be skipped");
}
console.log(failed ? "tests failed" : "all tests that ran passed");
process.exitCode = failed ? 1 : 0;

function shout(what: string, items: readonly string[]): void {
  if (items.length === 0) return;
  const line = "!".repeat(80);
  console.warn([line, `!! ${what}:`, ...items.map((item) => `!! ${item}`), line].join("\n"));
}
