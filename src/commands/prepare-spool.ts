import { lchown, lstat, readdir } from "node:fs/promises";
import path from "node:path";
import { InvalidArgumentError } from "commander";
import { TelemetryError, messageOf } from "../errors.ts";
import { errorCode } from "../lib/error-code.ts";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Parses an owner such as `107:0`. */
export function parseOwner(text: string): Owner {
  const [, uid, gid] = /^([0-9]{1,9}):([0-9]{1,9})$/.exec(text) ?? [];
  if (uid === undefined) throw new InvalidArgumentError("It must be UID:GID, two numbers.");
  return { uid: Number(uid), gid: Number(gid) };
}

/**
 * Makes the agent's user the owner of a spool directory and its content: the kubelet creates a hostPath for root, and
 * an agent of another user may have filled it. It needs CAP_CHOWN, and CAP_DAC_OVERRIDE for directories that root does
 * not own. Resolves to the exit code.
 */
export async function prepareSpool(directory: string, owner: Owner): Promise<number> {
  try {
    await changeOwner(directory, owner);
    return 0;
  } catch (error) {
    throw new TelemetryError("E_SPOOL_WRITE", `the owner of ${directory} cannot be changed: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Changes the content of a directory before the directory. Follows no link. */
async function changeOwner(at: string, owner: Owner): Promise<void> {
  const stats = await lstat(at);
  if (stats.isDirectory())
    for (const name of await readdir(at)) await unlessDeleted(changeOwner(path.join(at, name), owner));
  if (stats.uid !== owner.uid || stats.gid !== owner.gid) await lchown(at, owner.uid, owner.gid);
}

/** With `maxSurge` the agent of the old pod still runs, and deletes segments that are delivered. */
async function unlessDeleted(change: Promise<void>): Promise<void> {
  try {
    await change;
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
}
