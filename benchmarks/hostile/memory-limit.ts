import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout } from "node:timers/promises";

const ROOT = "/sys/fs/cgroup";
let made = 0;

/** A cgroup with a limit of memory. The kernel ends a process in it that needs more. */
export class MemoryLimit implements AsyncDisposable {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Returns undefined where no cgroup can be made. */
  static tryCreate(bytes: number): MemoryLimit | undefined {
    const isVersion2 = existsSync(path.join(ROOT, "cgroup.controllers"));
    const directory = path.join(ROOT, isVersion2 ? "" : "memory", `hostile-${process.pid}-${made++}`);
    try {
      mkdirSync(directory);
      writeFileSync(path.join(directory, isVersion2 ? "memory.max" : "memory.limit_in_bytes"), String(bytes));
      return new MemoryLimit(directory);
    } catch {
      if (existsSync(directory)) rmdirSync(directory);
      return undefined;
    }
  }

  /** Returns the command that runs `command` under the limit. */
  wrap(command: readonly string[]): readonly string[] {
    return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', this.#directory, ...command];
  }

  /** Removes the cgroup. Its processes must have ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (let tries = 0; existsSync(this.#directory); tries++) {
      try {
        rmdirSync(this.#directory);
      } catch (error) {
        // The kernel frees a process a moment after it has ended.
        if (tries === 20) throw error;
        await setTimeout(100);
      }
    }
  }
}
