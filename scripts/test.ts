// All tests in one command. `npm test -- unit`, `-- integration` or `-- FILE...` runs a part.
import { spawnSync } from "node:child_process";
import { globSync } from "node:fs";
import { provision } from "./provision/provision.ts";

/** Everything that needs nothing but Node. */
const UNIT = ["test/*.test.ts", "test/unit/**/*.test.ts", "test/fault/**/*.test.ts"];
/** Real servers, one file at a time: guests and servers share two cores and the tests must not starve each other. */
const INTEGRATION = ["test/integration/**/*.test.ts"];

const wanted = process.argv.slice(2);
const files = wanted.filter((argument) => argument.endsWith(".ts"));
const all = wanted.length === 0;
let failed = false;
let skipped = "";

function run(title: string, patterns: readonly string[], concurrency: number): void {
  const found = patterns.flatMap((pattern) => globSync(pattern)).sort();
  console.log(`# ${title}: ${found.length} files`);
  const options = ["--test", `--test-concurrency=${concurrency}`, "--test-reporter=spec"];
  failed = spawnSync("node", [...options, ...found], { stdio: "inherit" }).status !== 0 || failed;
}

function build(): void {
  failed = spawnSync("node", ["scripts/build.ts"], { stdio: "inherit" }).status !== 0 || failed;
}

if (files.length > 0) run("chosen files", files, 1);
if (all || wanted.includes("unit")) run("unit and fault tests", UNIT, 2);
if (all || wanted.includes("integration")) {
  const missing = provision();
  if (missing.length === 0) {
    build();
    run("integration tests", INTEGRATION, 1);
  } else if (process.env["CI"] === "true") {
    failed = true;
    console.error(`the integration tests cannot run and must not be skipped with CI=true: ${missing.join("; ")}`);
  } else skipped = missing.join("; ");
}

if (skipped !== "") console.warn(`${"!".repeat(80)}\n!! INTEGRATION TESTS WERE SKIPPED: ${skipped}\n${"!".repeat(80)}`);
console.log(failed ? "tests failed" : "all tests that ran passed");
process.exitCode = failed ? 1 : 0;
