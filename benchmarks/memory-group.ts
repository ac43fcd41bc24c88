import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import { anonymousMiB } from "./process-usage.ts";

const MIB = 1024 ** 2;

/** Where a memory cgroup can be, and the files that limit and show its memory, for each version of cgroups. */
const HIERARCHIES = [
  {
    root: "/sys/fs/cgroup/memory",
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    inactive: "total_inactive_file",
  },
  { root: "/sys/fs/cgroup", limit: "memory.max", usage: "memory.current", inactive: "inactive_file" },
] as const;
/** A group is busy for a moment after its last process has ended. */
const REMOVE = { attempts: 50, pauseMs: 100 };

let groups = 0;

/** A memory cgroup for one process. With a limit the kernel ends the process if it needs more. */
export class MemoryGroup implements AsyncDisposable {
  readonly #hierarchy: (typeof HIERARCHIES)[number];
  readonly #directory: string;

  private constructor(hierarchy: (typeof HIERARCHIES)[number]) {
    this.#hierarchy = hierarchy;
    this.#directory = path.join(hierarchy.root, `kubevirt-telemetry-bench-${process.pid}-${groups++}`);
    mkdirSync(this.#directory);
  }

  /** Returns a group, or undefined if this process may not make one. */
  static create(limitBytes?: number): MemoryGroup | undefined {
    for (const hierarchy of HIERARCHIES) {
      try {
        const group = new MemoryGroup(hierarchy);
        if (group.#isReady(limitBytes)) return group;
        rmdirSync(group.#directory);
      } catch {
        // Try the next one.
      }
    }
    return undefined;
  }

  /** Sets the limit, if there is one. Returns whether this is a memory cgroup with that limit. */
  #isReady(limitBytes: number | undefined): boolean {
    const { limit, usage } = this.#hierarchy;
    // In another file system this would be a file like any other.
    if (!existsSync(path.join(this.#directory, usage))) return false;
    try {
      if (limitBytes !== undefined) writeFileSync(path.join(this.#directory, limit), String(limitBytes));
      return true;
    } catch {
      return false;
    }
  }

  /** The begin of a command that runs the rest of it in this group. */
  get command(): readonly string[] {
    return ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', this.#directory];
  }

  /** The working set as a kubelet counts it, in MiB: without the file pages that were not used lately. */
  get workingSetMiB(): number {
    const { usage, inactive } = this.#hierarchy;
    const unused = new RegExp(`^${inactive} (\\d+)$`, "m").exec(this.#read("memory.stat"))?.[1];
    return (Number(this.#read(usage)) - Number(unused)) / MIB;
  }

  /** Removes the group. Its process must have ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (let attempt = 0; existsSync(this.#directory); attempt++) {
      try {
        rmdirSync(this.#directory);
      } catch (error) {
        if (attempt === REMOVE.attempts) throw error;
        await setTimeout(REMOVE.pauseMs);
      }
    }
  }

  #read(file: string): string {
    return readFileSync(path.join(this.#directory, file), "utf8");
  }
}

/** Returns the working set of a process in MiB. Without a group it is the memory that no file backs. */
export function workingSetMiB(pid: number, group: MemoryGroup | undefined): number {
  return group?.workingSetMiB ?? anonymousMiB(pid);
}
