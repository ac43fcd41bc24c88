import { readFileSync, readlinkSync } from "node:fs";
import { readFile, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import path from "node:path";

const LOCK = "lock";
/** Nobody takes so long to replace a stale lock. */
const CLAIM_MS = 60_000;

/** A process, so that another can tell whether it still runs. What cannot be known is empty. */
export interface Holder {
  /** Unlike in every other pod: its UID. Empty outside of Kubernetes. */
  readonly owner: string;
  /** Of this run of the machine. */
  readonly boot: string;
  /** The namespace in which `pid` means something. */
  readonly pidNamespace: string;
  readonly pid: number;
  /** When the process began, in clock ticks since the boot: process numbers are used again. */
  readonly startTime: string;
}

/** A lock that is there, as another process sees it. */
export interface SeenLock {
  /** Undefined when the disk was too full to write it down, or it is damaged. */
  readonly holder: Holder | undefined;
  /** Changes as long as the holder lives. */
  readonly beatMs: number;
  readonly inode: number;
}

export function thisProcess(owner = ""): Holder {
  return {
    owner,
    boot: textOf(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()),
    pidNamespace: textOf(() => readlinkSync("/proc/self/ns/pid")),
    pid: process.pid,
    startTime: startTimeOf(process.pid),
  };
}

/** Whether the process that holds a lock still runs, as far as this one can tell. */
export function isAlive(holder: Holder, me: Holder): boolean | "unknown" {
  if (holder.boot !== me.boot) return holder.boot === "" || me.boot === "" ? "unknown" : false;
  if (holder.pidNamespace === me.pidNamespace && me.pidNamespace !== "")
    return startTimeOf(holder.pid) === holder.startTime;
  // The container before this one in the same pod.
  return holder.owner === me.owner && me.owner !== "" ? false : "unknown";
}

export async function seeLock(directory: string): Promise<SeenLock | undefined> {
  const file = path.join(directory, LOCK);
  try {
    const { mtimeMs, ino } = await stat(file);
    const text = await readFile(file, "utf8");
    return { holder: parseHolder(text), beatMs: mtimeMs, inode: ino };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** The right to write to a directory, for one process at a time. */
export class SpoolLock {
  readonly #file: string;

  private constructor(file: string) {
    this.#file = file;
  }

  /**
   * Takes the lock of a directory if nobody has it, or if its holder is dead; undefined when it is somebody's. `silent`
   * is the beat of a lock that has not changed for long, by which a holder of whom nothing is known is taken for dead.
   */
  static async take(directory: string, me: Holder, silent?: number): Promise<SpoolLock | undefined> {
    const file = path.join(directory, LOCK);
    const seen = await seeLock(directory);
    if (seen === undefined) return (await create(file, me)) ? new SpoolLock(file) : undefined;
    const alive = seen.holder === undefined ? "unknown" : isAlive(seen.holder, me);
    if (alive === true || (alive === "unknown" && seen.beatMs !== silent)) return undefined;
    return (await replace(directory, seen, me)) ? new SpoolLock(file) : undefined;
  }

  /** Says that the holder lives. */
  async beat(): Promise<void> {
    const now = new Date();
    await utimes(this.#file, now, now);
  }

  async release(): Promise<void> {
    await rm(this.#file, { force: true });
  }
}

/** Whether the file is this process's; false when it is there already. */
async function create(file: string, me: Holder): Promise<boolean> {
  try {
    await writeFile(file, "", { flag: "wx", mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
  // On a full disk the name alone is the lock; its beat still says that it is held.
  await writeFile(file, JSON.stringify(me)).catch(() => undefined);
  return true;
}

/**
 * Puts a lock in the place of a stale one. Of all that find the same one stale only who makes the file with its name may,
 * and only as long as it is there: who comes late finds another lock.
 */
async function replace(directory: string, { inode, beatMs }: SeenLock, me: Holder): Promise<boolean> {
  const claim = path.join(directory, `${LOCK}.${inode}-${beatMs}`);
  if (!(await create(claim, me))) {
    const { mtimeMs } = await stat(claim).catch(() => ({ mtimeMs: Infinity }));
    // Who made it has died since; the next who tries may.
    if (Date.now() - mtimeMs > CLAIM_MS) await rm(claim, { force: true });
    return false;
  }
  const now = await seeLock(directory);
  if (now?.inode === inode && now.beatMs === beatMs) {
    await rename(claim, path.join(directory, LOCK));
    return true;
  }
  await rm(claim, { force: true });
  return false;
}

function parseHolder(text: string): Holder | undefined {
  try {
    const { owner, boot, pidNamespace, pid, startTime } = JSON.parse(text) as Partial<Holder>;
    if (owner === undefined || boot === undefined || pidNamespace === undefined) return undefined;
    return pid === undefined || startTime === undefined ? undefined : { owner, boot, pidNamespace, pid, startTime };
  } catch {
    return undefined;
  }
}

/** Empty when no such process runs. */
function startTimeOf(pid: number): string {
  const stat = textOf(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  // From the third field on: the second, the name of the program in parentheses, may hold anything.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" ? "" : (fields[19] ?? "");
}

function textOf(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}
