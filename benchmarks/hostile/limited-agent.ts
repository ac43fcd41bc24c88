import { spawn, type ChildProcess } from "node:child_process";
import { writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { createInterface } from "node:readline";
import { end } from "../../test/integration/support/process.ts";
import { imageNodeArgs } from "../image.ts";
import { MemoryGroup } from "../memory-group.ts";
import { cpuMs, residentMiB } from "../process-usage.ts";
import { kubeconfigPath } from "./cluster.ts";
import { NODE } from "./plan.ts";

export const LIMIT_MIB = 128;
const WATCH_MS = 250;

export interface AgentSettings {
  /** The checkout whose bundle runs. */
  readonly checkout: string;
  /** Where its spool and its kubeconfig are. */
  readonly directory: string;
  readonly podsDir: string;
  readonly port: number;
}

/** How the agent ended by itself. */
export interface Death {
  readonly atMs: number;
  readonly how: string;
}

/** The bundled agent with a limit of memory. */
export class LimitedAgent implements AsyncDisposable {
  /** Lines of its output, with the time at which they came. */
  readonly log: { readonly atMs: number; readonly text: string }[] = [];
  readonly pid: number;
  /** Whether the kernel keeps the limit; else this process watches it. */
  readonly inCgroup: boolean;
  death: Death | undefined;
  peakMiB = Number.NaN;
  readonly #child: ChildProcess;
  readonly #limit: MemoryGroup | undefined;
  readonly #watch: NodeJS.Timeout;
  #over = false;
  #cpuMs = 0;

  private constructor(child: ChildProcess, limit: MemoryGroup | undefined) {
    if (child.pid === undefined || child.stdout === null || child.stderr === null)
      throw new Error("the agent did not start");
    this.pid = child.pid;
    this.inCgroup = limit !== undefined;
    this.#child = child;
    this.#limit = limit;
    child.once("exit", (code, signal) => {
      // The kernel ends only processes that are over the limit.
      const outOfMemory = this.#over || (this.inCgroup && signal === "SIGKILL");
      const why = outOfMemory ? "out of memory" : (signal ?? `exit code ${code ?? 0}`);
      this.death = { atMs: performance.now(), how: why };
    });
    for (const stream of [child.stdout, child.stderr])
      createInterface({ input: stream }).on("line", (text) => this.log.push({ atMs: performance.now(), text }));
    this.#watch = setInterval(() => {
      this.observe();
    }, WATCH_MS);
  }

  static async start({ checkout, directory, podsDir, port }: AgentSettings): Promise<LimitedAgent> {
    const spool = path.join(directory, "spool");
    await mkdir(spool);
    const limit = MemoryGroup.create(LIMIT_MIB << 20);
    const options = ["--node-name", NODE, "--pods-dir", podsDir, "--spool-dir", spool, "--listen", `127.0.0.1:${port}`];
    const bundle = path.resolve(checkout, "dist/kubevirt-telemetry.js");
    const command = [process.execPath, ...imageNodeArgs(checkout), bundle, "agent", ...options];
    const [program = "", ...args] = [...(limit?.command ?? []), ...command];
    const child = spawn(program, args, {
      stdio: ["ignore", "pipe", "pipe"],
      env: {
        PATH: process.env["PATH"],
        NODE_ENV: "production",
        KUBECONFIG: kubeconfigPath(directory),
        KUBEVIRT_TELEMETRY_POD_UID: "agent-pod",
      },
    });
    return new LimitedAgent(child, limit);
  }

  /** CPU milliseconds since its start, as they were last read. */
  get cpuMs(): number {
    this.observe();
    return this.#cpuMs;
  }

  /** Forgets the highest memory up to now. */
  resetPeak(): void {
    try {
      writeFileSync(`/proc/${this.pid}/clear_refs`, "5");
    } catch {
      // Without the right to do so the peak is that since the start.
    }
    this.peakMiB = Number.NaN;
    this.observe();
  }

  /** Reads memory and CPU time. Of a process that has ended the last values stay. */
  observe(): void {
    if (this.death !== undefined) return;
    try {
      this.#cpuMs = Math.max(this.#cpuMs, cpuMs(this.pid));
      const { now, peak } = residentMiB(this.pid);
      if (!Number.isNaN(peak)) this.peakMiB = peak;
      this.#over = this.#limit === undefined && now > LIMIT_MIB;
    } catch {
      // It has just ended.
    }
    if (this.#over) this.#child.kill("SIGKILL");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#watch);
    await end(this.#child);
    await this.#limit?.[Symbol.asyncDispose]();
  }
}
