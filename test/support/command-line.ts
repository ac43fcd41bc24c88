import assert from "node:assert/strict";
import { execFile, spawn, type ChildProcess } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";

const MAIN = path.join(import.meta.dirname, "../../src/main.ts");

export type Variables = Readonly<Record<string, string>>;

interface Result {
  readonly exitCode: number | string | null | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** The environment of this test without the variables of the command line. */
function environment(variables: Variables): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("KUBEVIRT_TELEMETRY_"));
  // Several tests run at the same time.
  return { ...Object.fromEntries(own), KUBEVIRT_TELEMETRY_LISTEN: "off", ...variables };
}

/** Runs the command line to its end. */
export function run(args: readonly string[], variables: Variables = {}): Promise<Result> {
  return new Promise((resolve) => {
    execFile(process.execPath, [MAIN, ...args], { env: environment(variables) }, (error, stdout, stderr) => {
      resolve({ exitCode: error === null ? 0 : (error.code ?? error.signal), stdout, stderr });
    });
  });
}

/** Wrong usage: exit code 2, nothing on the standard output, and the reason in the error output. */
export async function assertUsage(args: readonly string[], reason: RegExp, variables: Variables = {}): Promise<void> {
  const { exitCode, stdout, stderr } = await run(args, variables);
  assert.deepEqual({ exitCode, stdout }, { exitCode: 2, stdout: "" }, stderr);
  assert.match(stderr, reason);
  assert.doesNotMatch(stderr, /^ +at /m, "a stack");
}

/** Starts a child that runs until it is ended; resolves when it has printed a matching line. */
export async function running(
  t: TestContext,
  args: readonly string[],
  fits: Pick<RegExp, "test">,
  variables: Variables = {},
): Promise<ChildProcess> {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: environment(variables),
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => child.kill("SIGKILL"));
  await new Promise<void>((resolve, reject) => {
    child.once("exit", (code) => {
      reject(new Error(`ended with ${code}`));
    });
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (fits.test(line)) resolve();
    });
  });
  return child;
}
