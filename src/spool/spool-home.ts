import { randomBytes } from "node:crypto";
import { mkdir, readdir, rm, rmdir } from "node:fs/promises";
import path from "node:path";
import { FORMAT_VERSION } from "./frame-format.ts";
import { SpoolLock, type Holder } from "./lock.ts";
import { syncDirectory } from "./spool-files.ts";

/**
 * A spool directory has one directory in it for each agent that writes at the same time, which is one but for a moment of
 * an update. Its name begins with the version of the format, so that another version finds what it cannot read as a whole.
 */
const MAIN = `v${FORMAT_VERSION}`;
const HOME = new RegExp(`^${MAIN}(-[0-9a-f]+)?$`);
const NEWER_HOME = /^v([0-9]+)(-[0-9a-f]+)?$/;

export interface Home {
  readonly directory: string;
  readonly lock: SpoolLock;
}

/** The directory that every agent looks into first. */
export function mainHome(root: string): string {
  return path.join(root, MAIN);
}

/** A directory that is nobody else's. */
export function sideHome(root: string): string {
  return path.join(root, `${MAIN}-${randomBytes(4).toString("hex")}`);
}

/** Makes a directory this process's own; undefined when another agent has it. */
export async function claimHome(directory: string, me: Holder): Promise<Home | undefined> {
  await makeDurably(directory);
  const lock = await SpoolLock.take(directory, me);
  return lock && { directory, lock };
}

async function makeDurably(directory: string): Promise<void> {
  // Whole paths: the parent of `s` is `.`, which is no shorter, and its own parent.
  const whole = path.resolve(directory);
  const first = await mkdir(whole, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = whole; made.length >= first.length; made = path.dirname(made))
    await syncDirectory(path.dirname(made));
}

/** Gives a directory back. One in which nothing is left goes. */
export async function leaveHome({ directory, lock }: Home, isEmpty: boolean): Promise<void> {
  if (isEmpty) await rm(path.join(directory, "cursors.json"), { force: true });
  await lock.release();
  // Somebody may have put something there, or have claimed it meanwhile.
  if (isEmpty) await rmdir(directory).catch(() => undefined);
}

/** The directories in a spool directory: those that this version can read, and those of newer ones. */
export async function homesIn(root: string): Promise<{ readonly homes: string[]; readonly newer: string[] }> {
  const names = (await readdir(root)).sort();
  const paths = (wanted: (name: string) => boolean): string[] =>
    names.filter(wanted).map((name) => path.join(root, name));
  return {
    homes: paths((name) => HOME.test(name)),
    newer: paths((name) => Number(NEWER_HOME.exec(name)?.[1] ?? 0) > FORMAT_VERSION),
  };
}
