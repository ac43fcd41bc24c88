import assert from "node:assert/strict";
import { execFile, spawn, type ChildProcess } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";
import { PassThrough, Writable } from "node:stream";
import type { TestContext } from "node:test";
import type { ReadStream, WriteStream } from "node:tty";
import { runCommandLine } from "../../src/command-line.ts";

const MAIN = path.join(import.meta.dirname, "../../src/main.ts");
const PREFIX = "KUBEVIRT_TELEMETRY_";

export type Variables = Readonly<Record<string, string>>;

interface Result {
  readonly exitCode: number | string | null | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs in the process of the test. */
export interface RunningCommand {
  readonly exitCode: Promise<number>;
  /** All that it has printed so far. */
  readonly stdout: () => string;
  /** What SIGTERM does. */
  readonly stop: () => void;
}

/** The environment of this test without what the command line would take from it. */
function environment(variables: Variables): Record<string, string | undefined> {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith(PREFIX));
  // Several run at the same time.
  return { ...Object.fromEntries(own), [`${PREFIX}LISTEN`]: "off", ...variables };
}

/** Keeps all that is written to it, and hands it on by lines. Like a pipe it is no terminal, whatever its type says. */
class Output {
  readonly stream: WriteStream;
  text = "";

  constructor(onLine: (line: string) => void = () => undefined) {
    let unfinished = "";
    const write = (chunk: Buffer, _encoding: string, done: () => void): void => {
      this.text += chunk.toString();
      const lines = (unfinished + chunk.toString()).split("\n");
      unfinished = lines.pop() ?? "";
      for (const line of lines) onLine(line);
      done();
    };
    this.stream = new Writable({ write }) as unknown as WriteStream;
  }
}

/**
 * Starts a command in this process. The command line reads `process.env`, which is the one thing that two commands share:
 * those that run at the same time have to have the same variables.
 */
function start(args: readonly string[], variables: Variables, onLine?: (line: string) => void) {
  const [stdout, stderr] = [new Output(onLine), new Output()];
  const stop = new AbortController();
  const before = process.env;
  process.env = environment(variables);
  const streams = { stdin: new PassThrough() as unknown as ReadStream, stdout: stdout.stream, stderr: stderr.stream };
  const exitCode = runCommandLine(args, streams, stop.signal).finally(() => {
    process.env = before;
  });
  return { stdout, stderr, stop, exitCode };
}

/** Runs the command line to its end, in this process. */
export async function run(args: readonly string[], variables: Variables = {}): Promise<Result> {
  const { stdout, stderr, exitCode } = start(args, variables);
  return { exitCode: await exitCode, stdout: stdout.text, stderr: stderr.text };
}

/** Runs the command line to its end, in a process of its own. */
export function runProcess(args: readonly string[], variables: Variables = {}): Promise<Result> {
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

/** A command in this process that goes on until it is stopped; resolves when it printed a line that fits. */
export async function running(
  t: TestContext,
  args: readonly string[],
  fits: Pick<RegExp, "test">,
  variables: Variables = {},
): Promise<RunningCommand> {
  const fitted = Promise.withResolvers<undefined>();
  const { stdout, stderr, stop, exitCode } = start(args, variables, (line) => {
    if (fits.test(line)) fitted.resolve(undefined);
  });
  t.after(async () => {
    stop.abort();
    await exitCode;
  });
  const early = exitCode.then((code) => assert.fail(`ended with ${code}: ${stderr.text}`));
  await Promise.race([fitted.promise, early]);
  early.catch(() => undefined);
  return {
    exitCode,
    stdout: () => stdout.text,
    stop: () => {
      stop.abort();
    },
  };
}

/** A child that goes on until it is told to end; resolves when it printed a line that fits. */
export async function runningProcess(
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
