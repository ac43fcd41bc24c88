import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { configText } from "../test/support/config.ts";
import { end } from "../test/integration/support/process.ts";
import { imageNodeArgs } from "./image.ts";

export const NODE_SHAPE = { nics: 2, disks: 3 } as const;
const LINES_PER_DOMAIN = 8;
/** Domains for each second of the interval; they make about 1,500 lines a second. */
export const DOMAINS = 188;
export const LINES_PER_SECOND = DOMAINS * LINES_PER_DOMAIN;

export interface WriterOptions {
  /** Targets in the form of a TelemetryConfig. */
  readonly targets: readonly object[];
  readonly backlogLines?: number;
  /** One second by default. */
  readonly intervalS?: number;
  /** Offset of its writes from the full second. */
  readonly phaseMs?: number;
  /** Secret name -> key -> value. */
  readonly secrets?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Directory of the checkout whose program runs; this one by default. */
  readonly checkout?: string;
}

/** `delivery-writer.ts` in its own process with the image's options, and its own spool. */
export class Writer implements AsyncDisposable {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #directory: string;

  private constructor(child: ChildProcess, directory: string) {
    if (child.pid === undefined) throw new Error("the writer did not start");
    this.pid = child.pid;
    this.#child = child;
    this.#directory = directory;
  }

  /** With a backlog, a first process fills the spool, and this is the second one. */
  static async start({
    targets,
    backlogLines = 0,
    intervalS = 1,
    phaseMs = 0,
    secrets = {},
    checkout = ".",
  }: WriterOptions): Promise<Writer> {
    const directory = await mkdtemp(path.join(tmpdir(), "writer-"));
    const spec = { targets, buffer: { maxMiB: 4_096 } };
    await writeFile(path.join(directory, "config.yaml"), configText(spec));
    for (const [secret, keys] of Object.entries(secrets)) {
      await mkdir(path.join(directory, "secrets", secret), { recursive: true });
      for (const [key, value] of Object.entries(keys))
        await writeFile(path.join(directory, "secrets", secret, key), value);
    }
    const args = [directory, String(intervalS), String(phaseMs)];
    if (backlogLines > 0) await once(startWriter(checkout, ...args, String(backlogLines)), "exit");
    return new Writer(startWriter(checkout, ...args), directory);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await end(this.#child);
    await rm(this.#directory, { recursive: true, force: true });
  }
}

function startWriter(checkout: string, ...args: readonly string[]): ChildProcess {
  const program = path.join(checkout, "benchmarks/delivery-writer.ts");
  return fork(program, args, { execArgv: imageNodeArgs(checkout), stdio: "inherit" });
}
