// All tests in one command. `npm test -- unit`, `-- integration` or `-- FILE...` runs a part.
import { spawn } from "node:child_process";
import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import path from "node:path";
import { text } from "node:stream/consumers";
import { provision } from "./provision/provision.ts";
import { succeeds } from "./succeeds.ts";
import { report } from "./test-outcome.ts";

/** Everything that needs nothing but Node. */
const UNIT = ["test/*.test.ts", "test/unit/**/*.test.ts", "test/fault/**/*.test.ts"];
/**
 * What needs other programs, of the chart helm, of the rest real servers. Guests and servers share two cores and the tests must
 * not starve each other, so one file runs at a time, except for those that mostly wait.
 */
const INTEGRATION = ["test/chart/**/*.test.ts", "test/integration/**/*.test.ts"];
/** Files without a guest that mostly wait for reports, retries and tokens. Three of them need about one core. Longest first. */
const WAITING = [
  "hostile-identity",
  "kubevirt-flapping",
  "kubevirt-reports",
  "kubevirt-outages",
  "kubevirt-config",
  "controller",
  "kubevirt-identity",
  "reflector",
].map((name) => `test/integration/${name}.test.ts`);
const WAITING_AT_ONCE = 3;

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

/** Resolves to whether all tests of the files passed. */
async function run(
  title: string,
  files: readonly string[],
  { concurrency = 1, env = process.env } = {},
): Promise<boolean> {
  if (files.length === 0) return true;
  console.log(`# ${title}: ${files.length} ${files.length === 1 ? "file" : "files"}`);
  const options = ["--test", `--test-concurrency=${concurrency}`, "--test-reporter=spec"];
  return succeeds(spawn("node", [...options, ...files], { stdio: "inherit", env, timeout: RUN_TIMEOUT_MS }));
}

/**
 * Returns the environment with a compile cache, unless it already names one. Every test file is a process that loads the same
 * sources, and some start the agent as another process: without the cache, removing the types takes most of their time.
 */
function withCompileCache(): NodeJS.ProcessEnv {
  return { NODE_COMPILE_CACHE: path.resolve("node_modules/.cache/node-compile-cache"), ...process.env };
}

function runUnit(files: readonly string[]): Promise<boolean> {
  // One file more than there are cores, because some files mostly wait.
  return run("unit and fault tests", files, { concurrency: availableParallelism() + 1, env: withCompileCache() });
}

/** A file that runs alone, or files that run beside each other, from the time at which their servers are there. */
interface Job {
  readonly ready: Promise<unknown>;
  /** Resolves to the files that failed. */
  readonly run: () => Promise<readonly string[]>;
}

/**
 * Runs each file once its servers are there. Leaves out the files that need a server which this machine cannot have, and says so.
 * A file that fails runs a second time at the end, so that the log tells flaky from broken.
 */
async function runIntegration(missing: ReadonlyMap<string, Promise<readonly string[]>>): Promise<void> {
  failed = !(await succeeds(spawn("node", ["scripts/build.ts"], { stdio: "inherit" }))) || failed;
  const files = [...missing.keys()];
  const alone = files.filter((file) => !WAITING.includes(file));
  const together = WAITING.filter((file) => files.includes(file));
  const isAble = async (file: string): Promise<boolean> => {
    const prerequisites = (await missing.get(file)) ?? [];
    if (prerequisites.length > 0) skipped.push(`${file} needs ${prerequisites.join("; ")}`);
    return prerequisites.length === 0;
  };
  const runAlone = async (file: string): Promise<readonly string[]> =>
    !(await isAble(file)) || (await run(`${file}, integration`, [file])) ? [] : [file];
  const failures = await runJobs([
    { ready: Promise.all(together.map(async (file) => missing.get(file))), run: () => runTogether(together, isAble) },
    ...alone.map((file) => ({ ready: missing.get(file) ?? Promise.resolve(), run: () => runAlone(file) })),
  ]);
  for (const file of failures)
    if (await run(`${file} has failed, and is run once more`, [file])) flaky.push(file);
    else failed = true;
}

/** Runs one job at a time. The next is the first that is ready. Resolves to the files that failed. */
async function runJobs(jobs: readonly Job[]): Promise<readonly string[]> {
  const ready = new Set<Job>();
  const waiting = new Map(jobs.map((job) => [job, job.ready.then(() => ready.add(job))]));
  const failures: string[] = [];
  while (waiting.size > 0) {
    await Promise.race(waiting.values());
    const job = jobs.find((job) => ready.delete(job));
    if (job === undefined) continue;
    waiting.delete(job);
    failures.push(...(await job.run()));
  }
  return failures;
}

/** Runs several files at a time, and prints the output of each when it ends. Resolves to those that failed. */
async function runTogether(
  files: readonly string[],
  isAble: (file: string) => Promise<boolean>,
): Promise<readonly string[]> {
  const failures: string[] = [];
  const left = files.values();
  const runNext = async (): Promise<void> => {
    for (const file of left) {
      if (!(await isAble(file))) continue;
      const options = ["--test", "--test-reporter=spec", file];
      const child = spawn("node", options, { stdio: ["ignore", "pipe", "inherit"], timeout: RUN_TIMEOUT_MS });
      const [output, ok] = await Promise.all([text(child.stdout), succeeds(child)]);
      console.log(`# ${file}, integration, beside others\n${output}`);
      if (!ok) failures.push(file);
    }
  };
  await Promise.all(Array.from({ length: WAITING_AT_ONCE }, runNext));
  return failures;
}

const prerequisites = all || wanted.includes("integration") ? provision(found(INTEGRATION)) : undefined;
if (files.length > 0) failed = !(await run("chosen files", files)) || failed;
if (all || wanted.includes("unit")) failed = !(await runUnit(found(UNIT))) || failed;
if (prerequisites) await runIntegration(prerequisites);

const { exitCode, messages } = report({ failed, flaky, skipped }, process.env["CI"] === "true");
console.log(messages.join("\n"));
process.exitCode = exitCode;
