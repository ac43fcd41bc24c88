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

function found(patterns: readonly string[]): readonly string[] {
  return patterns.flatMap((pattern) => globSync(pattern)).sort();
}

function run(title: string, files: readonly string[], concurrency: number): void {
  if (files.length === 0) return;
  console.log(`# ${title}: ${files.length} files`);
  const options = ["--test", `--test-concurrency=${concurrency}`, "--test-reporter=spec"];
  failed = spawnSync("node", [...options, ...files], { stdio: "inherit" }).status !== 0 || failed;
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
  run("integration tests", able, 1);
}

if (files.length > 0) run("chosen files", files, 1);
if (all || wanted.includes("unit")) run("unit and fault tests", found(UNIT), 2);
if (all || wanted.includes("integration")) runIntegration(found(INTEGRATION));

if (skipped.length > 0) {
  const line = "!".repeat(80);
  console.warn([line, "!! TESTS WERE SKIPPED:", ...skipped.map((why) => `!! ${why}`), line].join("\n"));
  if (process.env["CI"] === "true") {
    failed = true;
    console.error("with CI=true no test may be skipped");
  }
}
console.log(failed ? "tests failed" : "all tests that ran passed");
process.exitCode = failed ? 1 : 0;
