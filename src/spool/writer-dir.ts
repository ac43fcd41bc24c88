import { randomBytes } from "node:crypto";
import { mkdir, open, opendir, rename, rm, rmdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { FORMAT_VERSION } from "./frame-format.ts";
import { isLockFile, SpoolLock, type LockOwner } from "./lock.ts";
import { readSmallFile } from "./small-file.ts";

/**
 * A spool directory contains one writer directory for each agent that writes at the same time; there are two only during an
 * update. The name begins with the version of the format, so that another version recognizes a directory that it cannot read.
 */
const PRIMARY = `v${FORMAT_VERSION}`;
const WRITER_DIR = new RegExp(`^${PRIMARY}(-[0-9a-f]+)?$`);
const VERSIONED_DIR = /^v([0-9]+)(-[0-9a-f]+)?$/;

/**
 * Twice the segments of the largest buffer. One can be shorter than its limit, because a start and a failed write begin a new
 * one. A directory with more is read in parts, so that no number of files can fill the memory.
 */
export const MAX_SEGMENTS = 16_384;
/** There are two during an update, and one more for each agent that was killed since. */
const MAX_DIRS = 1_000;

/** Sequence numbers have 64 bits, and no spool comes near the end: a file with such a number is foreign. */
const SEGMENT = /^0[0-9]{19}\.seg$/;
const SEQUENCE = /^[0-9]{1,19}$/;
const CURSORS = "cursors.json";
const CURSORS_VERSION = 1;
/** Enough for thousands of targets. */
const MAX_CURSORS_BYTES = 1 << 20;

/** A directory that this process may write to. */
export interface WriterDir {
  readonly directory: string;
  readonly lock: SpoolLock;
}

/** Returns the directory that every agent tries first. */
export function primaryDir(root: string): string {
  return path.join(root, PRIMARY);
}

/** Returns whether a name in a spool directory is that of a writer directory, of any version. */
export function isWriterDir(name: string): boolean {
  return VERSIONED_DIR.test(name);
}

/** Returns whether a name in a writer directory is that of a file that an agent has written there. */
export function isWriterFile(name: string): boolean {
  return SEGMENT.test(name) || name === CURSORS || name === `${CURSORS}.tmp` || isLockFile(name);
}

/** Returns the path of a directory that no other agent uses. */
export function newExtraDir(root: string): string {
  return path.join(root, `${PRIMARY}-${randomBytes(4).toString("hex")}`);
}

/** Creates a directory if it does not exist, and locks it; resolves to undefined if another agent has the lock. */
export async function claimDir(directory: string, self: LockOwner): Promise<WriterDir | undefined> {
  await makeDurably(directory);
  const lock = await SpoolLock.acquire(directory, self);
  return lock && { directory, lock };
}

async function makeDurably(directory: string): Promise<void> {
  // Absolute: the loop below needs a parent that is shorter, and the parent of the relative path `.` is `.`.
  const absolute = path.resolve(directory);
  const first = await mkdir(absolute, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = absolute; made.length >= first.length; made = path.dirname(made))
    await syncDirectory(path.dirname(made));
}

/** Unlocks a directory, and deletes it if it has no segments left. */
export async function releaseDir({ directory, lock }: WriterDir, isEmpty: boolean): Promise<void> {
  if (isEmpty) await rm(path.join(directory, CURSORS), { force: true });
  await lock.release();
  // Fails if another agent has claimed the directory, or if there is a file of another program in it.
  if (isEmpty) await rmdir(directory).catch(() => undefined);
}

/** Resolves to the writer directories in a spool directory that this version can read. */
export function readableDirsIn(root: string): Promise<string[]> {
  return firstPaths(root, (name) => WRITER_DIR.test(name), MAX_DIRS);
}

/** Resolves to the writer directories of newer versions. */
export function newerDirsIn(root: string): Promise<string[]> {
  return firstPaths(root, (name) => Number(VERSIONED_DIR.exec(name)?.[1] ?? 0) > FORMAT_VERSION, MAX_DIRS);
}

/** Resolves to the paths of the segment files in a directory, oldest first; at most `limit`. */
export function segmentPaths(directory: string, limit = Number.POSITIVE_INFINITY): Promise<string[]> {
  return firstPaths(directory, (name) => SEGMENT.test(name), limit);
}

/** Resolves to the first paths in the order of their names. Memory does not depend on the number of files. */
async function firstPaths(directory: string, wanted: (name: string) => boolean, limit: number): Promise<string[]> {
  let names: string[] = [];
  for await (const { name } of await opendir(directory, { bufferSize: 1_024 })) {
    if (wanted(name)) names.push(name);
    if (names.length >= 2 * limit) names = names.sort().slice(0, limit);
  }
  return names
    .sort()
    .slice(0, limit)
    .map((name) => path.join(directory, name));
}

/** Returns the path of the segment whose first frame has this sequence number. */
export function segmentPath(directory: string, first: bigint): string {
  return path.join(directory, `${first.toString().padStart(20, "0")}.seg`);
}

/** Returns the sequence number in the name of a segment. */
export function firstSequence(segment: string): bigint {
  return BigInt(path.basename(segment, ".seg"));
}

/** Makes new and renamed files in a directory durable. */
export async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, "r");
  await handle.sync();
}

/**
 * Resolves to the position of each target: the sequence number of the first frame that it still needs. A target without one
 * needs every frame that is for it. So a missing, stale or damaged file causes lines to be sent again, never a loss.
 */
export async function readCursors(directory: string): Promise<Map<string, bigint>> {
  try {
    const text = await readSmallFile(path.join(directory, CURSORS), MAX_CURSORS_BYTES);
    const { version, cursors } = JSON.parse(text) as Cursors;
    if (version !== CURSORS_VERSION) return new Map();
    const valid = Object.entries(cursors).filter(([, next]) => SEQUENCE.test(next));
    return new Map(valid.map(([target, next]) => [target, BigInt(next)]));
  } catch {
    return new Map();
  }
}

/** Replaces the file of the positions. Without a sync, because a stale file after a crash of the node does no harm. */
export async function writeCursors(directory: string, cursors: ReadonlyMap<string, bigint>): Promise<void> {
  const content: Cursors = {
    version: CURSORS_VERSION,
    cursors: Object.fromEntries([...cursors].map(([target, next]) => [target, next.toString()])),
  };
  const file = path.join(directory, CURSORS);
  await writeFile(`${file}.tmp`, JSON.stringify(content), { mode: 0o600 });
  await rename(`${file}.tmp`, file);
}

interface Cursors {
  readonly version: number;
  readonly cursors: Readonly<Record<string, string>>;
}
