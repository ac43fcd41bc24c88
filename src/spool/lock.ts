import { readFileSync, readlinkSync } from "node:fs";
import { rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import path from "node:path";
import { errorCode } from "../lib/error-code.ts";
import { readSmallFile } from "./small-file.ts";

const LOCK = "lock";
/** A lock, or the claim on a stale one. */
const LOCK_FILE = /^lock(\.[0-9.-]+)?$/;
/** Longer than any process needs to replace a stale lock. */
const CLAIM_TIMEOUT_MS = 60_000;
/** The file has a few names and numbers. */
const MAX_LOCK_BYTES = 4_096;

/** Identifies a process, so that another can tell whether it still runs. Unknown fields are empty. The lock file has it as JSON. */
export interface LockOwner {
  /** UID of the pod; empty outside Kubernetes. */
  readonly owner: string;
  /** Differs after each boot of the machine. */
  readonly boot: string;
  /** The namespace in which `pid` is valid. */
  readonly pidNamespace: string;
  readonly pid: number;
  /** In clock ticks since the boot. Distinguishes processes with the same, reused pid. */
  readonly startTime: string;
}

/** A lock file as another process reads it. */
export interface LockState {
  /** Undefined if the file is empty, because the disk was full, or damaged. */
  readonly lockedBy: LockOwner | undefined;
  /** Modification time of the file in milliseconds. It changes as long as the lock owner runs. */
  readonly heartbeatMs: number;
  readonly inode: number;
}

export function thisProcess(owner = ""): LockOwner {
  return {
    owner,
    boot: textOrEmpty(() => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()),
    pidNamespace: textOrEmpty(() => readlinkSync("/proc/self/ns/pid")),
    pid: process.pid,
    startTime: startTimeOf(process.pid),
  };
}

/** Returns whether a lock owner still runs, as far as the process `self` can tell. */
export function isAlive(lockOwner: LockOwner, self: LockOwner): boolean | "unknown" {
  if (lockOwner.boot !== self.boot) return lockOwner.boot === "" || self.boot === "" ? "unknown" : false;
  if (lockOwner.pidNamespace === self.pidNamespace && self.pidNamespace !== "")
    return startTimeOf(lockOwner.pid) === lockOwner.startTime;
  // In the same pod but another namespace: an earlier container, which has ended.
  return lockOwner.owner === self.owner && self.owner !== "" ? false : "unknown";
}

/** Resolves to the lock of a directory; undefined if it is not locked. */
export async function readLock(directory: string): Promise<LockState | undefined> {
  const file = path.join(directory, LOCK);
  try {
    const { mtimeMs, ino } = await stat(file);
    // A file that cannot be a lock of this program counts as a damaged one.
    const text = await readSmallFile(file, MAX_LOCK_BYTES).catch((error: unknown) => {
      if (errorCode(error) === undefined) return "";
      throw error;
    });
    return { lockedBy: parseOwner(text), heartbeatMs: mtimeMs, inode: ino };
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** The exclusive right to write to a directory. */
export class SpoolLock {
  readonly #file: string;
  readonly #inode: number;

  private constructor(file: string, inode: number) {
    this.#file = file;
    this.#inode = inode;
  }

  static async #of(file: string): Promise<SpoolLock> {
    return new SpoolLock(file, (await stat(file)).ino);
  }

  /**
   * Locks a directory if it is not locked or if the lock owner is dead; resolves to undefined otherwise. If it is unknown
   * whether the lock owner runs, a lock with the heartbeat `staleHeartbeatMs` is stale: the caller has seen that heartbeat
   * unchanged for long enough.
   */
  static async acquire(directory: string, self: LockOwner, staleHeartbeatMs?: number): Promise<SpoolLock | undefined> {
    const file = path.join(directory, LOCK);
    const state = await readLock(directory);
    if (state === undefined) return (await create(file, self)) ? SpoolLock.#of(file) : undefined;
    const alive = state.lockedBy === undefined ? "unknown" : isAlive(state.lockedBy, self);
    if (alive === true || (alive === "unknown" && state.heartbeatMs !== staleHeartbeatMs)) return undefined;
    return (await replaceStale(directory, state, self)) ? SpoolLock.#of(file) : undefined;
  }

  /** Shows that the lock owner runs. Rejects with ENOENT if the lock file was deleted. */
  async heartbeat(): Promise<void> {
    const now = new Date();
    await utimes(this.#file, now, now);
  }

  /** Resolves to false if the lock file was deleted, or replaced by a process to which this lock was stale. */
  async isHeld(): Promise<boolean> {
    try {
      return (await stat(this.#file)).ino === this.#inode;
    } catch (error) {
      if (errorCode(error) === "ENOENT") return false;
      throw error;
    }
  }

  /** Leaves the lock of a process that has replaced this one. */
  async release(): Promise<void> {
    if (await this.isHeld()) await rm(this.#file, { force: true });
  }
}

/** Creates a file with this process as owner; resolves to false if the file exists. */
async function create(file: string, self: LockOwner): Promise<boolean> {
  try {
    await writeFile(file, "", { flag: "wx", mode: 0o600 });
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  }
  // On a full disk the file stays empty. That is a valid lock: its heartbeat shows that its owner runs.
  await writeFile(file, JSON.stringify(self)).catch(() => undefined);
  return true;
}

/**
 * Replaces a stale lock. Several processes may see it as stale. The one that creates `lock.<inode>-<heartbeat>` wins, and only
 * while the stale lock is unchanged.
 */
async function replaceStale(directory: string, { inode, heartbeatMs }: LockState, self: LockOwner): Promise<boolean> {
  const claim = path.join(directory, `${LOCK}.${inode}-${heartbeatMs}`);
  if (!(await create(claim, self))) {
    const { mtimeMs } = await stat(claim).catch(() => ({ mtimeMs: Infinity }));
    // The process that created the claim has died. The next attempt can proceed without it.
    if (Date.now() - mtimeMs > CLAIM_TIMEOUT_MS) await rm(claim, { force: true });
    return false;
  }
  const now = await readLock(directory);
  if (now?.inode === inode && now.heartbeatMs === heartbeatMs) {
    await rename(claim, path.join(directory, LOCK));
    return true;
  }
  await rm(claim, { force: true });
  return false;
}

function parseOwner(text: string): LockOwner | undefined {
  try {
    const { owner, boot, pidNamespace, pid, startTime } = JSON.parse(text) as Partial<LockOwner>;
    if (owner === undefined || boot === undefined || pidNamespace === undefined) return undefined;
    return pid === undefined || startTime === undefined ? undefined : { owner, boot, pidNamespace, pid, startTime };
  } catch {
    return undefined;
  }
}

/** Returns the start time of a process; empty if no such process runs. */
function startTimeOf(pid: number): string {
  const stat = textOrEmpty(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  // From the third field on: the second is the program's name in parentheses, which can contain spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" ? "" : (fields[19] ?? "");
}

function textOrEmpty(read: () => string): string {
  try {
    return read();
  } catch {
    return "";
  }
}

/** Returns whether a name in a writer directory is that of a file of `SpoolLock`. */
export function isLockFile(name: string): boolean {
  return LOCK_FILE.test(name);
}
