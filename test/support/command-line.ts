import assert from "node:assert/strict";
import { execFile, spawn, type ChildProcess } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";
import { PassThrough, Writable } from "node:stream";
import type { TestContext } from "node:test";
import type { ReadStream, WriteStream } from "node:tty";
import { runCommandLine } from "../../src/command-line.ts";
import { atEnd } from "./at-end.ts";

export const MAIN = path.join(import.meta.dirname, "../../src/main.ts");
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
  /** Returns its output so far. */
  readonly stdout: () => string;
  /** Ends it as SIGTERM does. */
  readonly stop: () => void;
}

/** Returns the environment of this process without the variables of the command line, and with `variables`. */
function environment(variables: Variables): Record<string, string | undefined> {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith(PREFIX));
  // Off by default, because several agents run at the same time.
  return { ...Object.fromEntries(own), [`${PREFIX}LISTEN`]: "off", ...variables };
}

/** A standard stream that keeps its text and calls `onLine` for each line. It is not a terminal, although its type says so. */
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
 * Starts a command in this process. Commands share `process.env`, so commands that run at the same time must have the
 * same variables.
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

/** Asserts wrong usage: exit code 2, no standard output, and the reason in the error output. */
export async function assertUsage(args: readonly string[], reason: RegExp, variables: Variables = {}): Promise<void> {
  const { exitCode, stdout, stderr } = await run(args, variables);
  assert.deepEqual({ exitCode, stdout }, { exitCode: 2, stdout: "" }, stderr);
  assert.match(stderr, reason);
  assert.doesNotMatch(stderr, /^ +at /m, "a stack");
}

/** Starts a command in this process, which ends with the test. Resolves once it prints a line that matches. */
export async function running(
  t: TestContext,
  args: readonly string[],
  pattern: Pick<RegExp, "test">,
  variables: Variables = {},
): Promise<RunningCommand> {
  const matched = Promise.withResolvers<undefined>();
  const { stdout, stderr, stop, exitCode } = start(args, variables, (line) => {
    if (pattern.test(line)) matched.resolve(undefined);
  });
  atEnd(t, async () => {
    stop.abort();
    await exitCode;
  });
  const early = exitCode.then((code) => assert.fail(`ended with ${code}: ${stderr.text}`));
  await Promise.race([matched.promise, early]);
  early.catch(() => undefined);
  return {
    exitCode,
    stdout: () => stdout.text,
    stop: () => {
      stop.abort();
    },
  };
}

/** The log message of a rejection that no code handles. */
const UNHANDLED = "a rejection was not handled";

export interface ProcessOptions {
  /** A program that runs the command, with its arguments. */
  readonly within?: readonly string[];
  /** Returns whether this line about an unhandled rejection is expected. */
  readonly mayBeUnhandled?: (line: string) => boolean;
}

/**
 * Starts a command in a child process, which ends with the test. Resolves once it prints a line that matches. The test fails if
 * the command logs an unhandled rejection.
 */
export async function runningProcess(
  t: TestContext,
  args: readonly string[],
  pattern: Pick<RegExp, "test">,
  variables: Variables = {},
  { within = [], mayBeUnhandled = () => false }: ProcessOptions = {},
): Promise<ChildProcess> {
  const [program, ...rest] = [...within, process.execPath, MAIN, ...args] as [string, ...string[]];
  const child = spawn(program, rest, {
    env: environment(variables),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const unhandled: string[] = [];
  atEnd(t, () => {
    child.kill("SIGKILL");
    assert.deepEqual(unhandled, [], "rejections that were not handled");
  });
  await new Promise<void>((resolve, reject) => {
    child.once("exit", (code) => {
      reject(new Error(`ended with ${code}`));
    });
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.includes(UNHANDLED) && !mayBeUnhandled(line)) unhandled.push(line);
      if (pattern.test(line)) resolve();
    });
  });
  return child;
}
